package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/bulkheadhq/bulkhead/bench/lean"
	"github.com/bulkheadhq/bulkhead/bench/machine"
)

// benchKey is a key the meter of this process takes, as every other.
const benchKey = "0123456789abcdef0123456789abcdef"

// meter is a billing endpoint that takes every report.
type meter struct {
	server   *http.Server
	listener net.Listener
}

func serveMeter() (*meter, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &meter{listener: l, server: &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":"Valid"}`) // a container that hung up doesn't matter
	})}}
	go func() { _ = m.server.Serve(l) }() // until Close
	return m, nil
}

func (m *meter) url() string { return "http://" + m.listener.Addr().String() }

// Close ends it.
func (m *meter) Close() { _ = m.server.Close() }

// process is a container that runs.
type process struct {
	cmd   *exec.Cmd
	addr  string
	ready time.Duration // from its start to the first answer that it is ready
}

// start starts a container and waits until it is ready.
func start(ctx context.Context, bin, kind, billing string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, bin, "cognitive", kind, "--listen", "127.0.0.1:0", "eula=accept", "billing="+billing, "Logging:Console:LogLevel:Default=Error")}
	p.cmd.Env = append(os.Environ(), "ApiKey="+benchKey)
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(out)
	for p.addr == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("the %s container ended before it listened: %w", kind, errors.Join(err, p.cmd.Wait()))
		}
		if at, ok := strings.CutPrefix(strings.TrimSpace(line), "Now listening on: http://"); ok {
			p.addr = at
		}
	}
	if err := p.await(); err != nil {
		p.stop()
		return nil, err
	}
	p.ready = time.Since(begin)
	go func() { _, _ = io.Copy(io.Discard, lines) }() // ends with the process
	return p, nil
}

// await asks until the container is ready.
func (p *process) await() error {
	c, err := p.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	req := lean.Request("GET", p.addr, "/ready", nil, nil)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		status, _, err := c.RoundTrip(req)
		if err != nil {
			return err
		}
		if status == http.StatusOK {
			return nil
		}
	}
	return errors.New("the container is not ready after a minute")
}

func (p *process) dial() (*lean.Conn, error) {
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		return nil, err
	}
	return lean.New(c), nil
}

func (p *process) memory() (machine.Memory, error) { return machine.MemoryOf(p.cmd) }

// stop ends the container and waits for it.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}
