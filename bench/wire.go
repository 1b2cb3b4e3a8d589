package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// conn is one keep-alive HTTPS connection that sends prepared requests: the client shall cost as little as it can, since it shares the machine.
type conn struct {
	c *tls.Conn
	r *bufio.Reader
}

func dial(addr, root, host string) (*conn, error) {
	pem, err := os.ReadFile(root)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c, err := tls.Dial("tcp", addr, &tls.Config{ServerName: host, RootCAs: roots})
	if err != nil {
		return nil, err
	}
	return &conn{c, bufio.NewReaderSize(c, 16<<10)}, nil
}

// roundTrip sends a whole request and reads a whole answer, of which it returns the status and the body.
func (c *conn) roundTrip(req []byte) (status int, body []byte, err error) {
	if _, err := c.c.Write(req); err != nil {
		return 0, nil, err
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 {
		return 0, nil, errors.New("bad status line")
	}
	status, _ = strconv.Atoi(string(line[9:12]))
	length := 0
	for {
		line, err = c.r.ReadSlice('\n')
		if err != nil {
			return 0, nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if len(line) > 15 && bytes.EqualFold(line[:15], []byte("content-length:")) {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(line[15:])))
		}
	}
	body = make([]byte, length)
	_, err = io.ReadFull(c.r, body)
	return status, body, err
}

// request is an HTTP/1.1 request as bytes.
func request(method, host, path string, header map[string]string, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, host)
	for k, v := range header {
		fmt.Fprintf(&b, "%s: %s\r\n", k, v)
	}
	if body != nil || method == http.MethodPost || method == http.MethodPut {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// rate is what a load came to.
type rate struct {
	done      int64
	perSecond float64
	p99       time.Duration // of the times from request to whole answer
}

// load sends what next gives on n connections for span. Any status but want is an error.
func load(ctx context.Context, addr, root, host string, n int, span time.Duration, want int, next func(worker int) []byte) (rate, error) {
	conns := make([]*conn, n)
	for i := range conns {
		var err error
		if conns[i], err = dial(addr, root, host); err != nil {
			return rate{}, err
		}
		defer conns[i].c.Close()
	}
	took := make([][]time.Duration, n)
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	begin := time.Now()
	end := begin.Add(span)
	for i, c := range conns {
		wg.Go(func() {
			for last := time.Now(); last.Before(end) && ctx.Err() == nil && failed.Load() == nil; {
				status, body, err := c.roundTrip(next(i))
				if err == nil && status != want {
					err = fmt.Errorf("status %d, want %d: %.300s", status, want, body)
				}
				if err != nil {
					failed.Store(&err)
					return
				}
				now := time.Now()
				took[i] = append(took[i], now.Sub(last))
				last = now
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(begin)
	if err := failed.Load(); err != nil {
		return rate{}, fmt.Errorf("load on %s: %w", host, *err)
	}
	all := slices.Concat(took...)
	if len(all) == 0 {
		return rate{}, ctx.Err()
	}
	slices.Sort(all)
	return rate{int64(len(all)), float64(len(all)) / elapsed.Seconds(), all[len(all)*99/100]}, ctx.Err()
}
