// Package lean is a client that costs as little as it can, since it shares the machine with what it loads: connections that are kept, prepared requests, whole answers.
package lean

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is one connection that is kept. Not safe for concurrent use.
type Conn struct {
	c net.Conn
	r *bufio.Reader
}

// New makes one of a connection, which is its from then on.
func New(c net.Conn) *Conn { return &Conn{c, bufio.NewReaderSize(c, 16<<10)} }

// Close closes the connection.
func (c *Conn) Close() error { return c.c.Close() }

// RoundTrip sends a whole request and reads a whole answer, of which it returns the status and the body.
func (c *Conn) RoundTrip(req []byte) (status int, body []byte, err error) {
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

// Request is an HTTP/1.1 request as bytes.
func Request(method, host, path string, header map[string]string, body []byte) []byte {
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

// Rate is what a load came to.
type Rate struct {
	Done      int64
	PerSecond float64
	Median    time.Duration // of the times from request to whole answer
	P99       time.Duration
}

// Load sends what next gives on n connections for span. Any status but want is an error.
func Load(ctx context.Context, dial func() (*Conn, error), n int, span time.Duration, want int, next func(worker int) []byte) (Rate, error) {
	conns := make([]*Conn, n)
	for i := range conns {
		var err error
		if conns[i], err = dial(); err != nil {
			return Rate{}, err
		}
		defer conns[i].Close()
	}
	took := make([][]time.Duration, n)
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	begin := time.Now()
	end := begin.Add(span)
	for i, c := range conns {
		wg.Go(func() {
			for last := time.Now(); last.Before(end) && ctx.Err() == nil && failed.Load() == nil; {
				status, body, err := c.RoundTrip(next(i))
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
		return Rate{}, *err
	}
	all := slices.Concat(took...)
	if len(all) == 0 {
		return Rate{}, ctx.Err()
	}
	slices.Sort(all)
	return Rate{int64(len(all)), float64(len(all)) / elapsed.Seconds(), all[len(all)/2], all[len(all)*99/100]}, ctx.Err()
}
