package isolate

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/reach"
)

// What the proxy is asked for: the front door and sites by plain HTTP, by any name they serve (the name that counts is in the client's TLS hello or Host
// header), and the metadata service.
const (
	doorTarget    = "management.azure.com:443"
	siteTarget    = "site.azurewebsites.net:80"
	machineTarget = "169.254.169.254:80"

	proxyTimeout = 10 * time.Second
)

// relay forwards connections to the platform through its proxy, byte by byte: TLS ends in the platform.
type relay struct {
	proxy      string
	credential reach.Credential
	failed     func(error) // told of connections that could not be forwarded

	mu    sync.Mutex
	conns map[net.Conn]bool // nil once closed
	wg    sync.WaitGroup
}

func newRelay(proxy string, c reach.Credential, failed func(error)) *relay {
	return &relay{proxy: proxy, credential: c, failed: failed, conns: map[net.Conn]bool{}}
}

// serve forwards what l accepts to target until l is closed.
func (r *relay) serve(l net.Listener, target string) {
	for {
		near, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			r.failed(err)
			time.Sleep(50 * time.Millisecond) // out of file descriptors: some may be free soon
			continue
		}
		r.wg.Go(func() {
			if err := r.forward(near, target); err != nil {
				r.failed(err)
			}
		})
	}
}

// close cuts every connection off and waits for their goroutines. The listeners are closed before.
func (r *relay) close() {
	r.mu.Lock()
	for c := range r.conns {
		c.Close()
	}
	r.conns = nil
	r.mu.Unlock()
	r.wg.Wait()
}

// keep notes c for close; false when that was already called.
func (r *relay) keep(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conns == nil {
		return false
	}
	r.conns[c] = true
	return true
}

func (r *relay) drop(c net.Conn) {
	c.Close()
	r.mu.Lock()
	delete(r.conns, c)
	r.mu.Unlock()
}

func (r *relay) forward(near net.Conn, target string) error {
	defer r.drop(near)
	if !r.keep(near) {
		return nil
	}
	far, early, err := r.tunnel(target)
	if err != nil {
		return err
	}
	defer r.drop(far)
	if !r.keep(far) {
		return nil
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(far, near)
		closeWrite(far)
	}()
	_, _ = io.Copy(near, io.MultiReader(early, far))
	closeWrite(near)
	<-done
	return nil
}

// tunnel opens a connection through the proxy. early is what the far side sent behind the proxy's own answer.
func (r *relay) tunnel(target string) (c net.Conn, early io.Reader, err error) {
	c, err = net.DialTimeout("tcp", r.proxy, proxyTimeout)
	if err != nil {
		return nil, nil, fmt.Errorf("the platform's proxy does not answer: %w", err)
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	_ = c.SetDeadline(time.Now().Add(proxyTimeout))
	auth := base64.StdEncoding.EncodeToString([]byte(r.credential.User + ":" + r.credential.Secret))
	if _, err = fmt.Fprintf(c, "CONNECT %[1]s HTTP/1.1\r\nHost: %[1]s\r\nProxy-Authorization: Basic %[2]s\r\n\r\n", target, auth); err != nil {
		return nil, nil, err
	}
	buf := bufio.NewReader(c)
	resp, err := http.ReadResponse(buf, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, nil, fmt.Errorf("the platform's proxy: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the platform's proxy answered %s", resp.Status)
		return nil, nil, err
	}
	_ = c.SetDeadline(time.Time{})
	return c, io.LimitReader(buf, int64(buf.Buffered())), nil
}

func closeWrite(c net.Conn) {
	if t, ok := c.(interface{ CloseWrite() error }); ok {
		_ = t.CloseWrite()
	}
}
