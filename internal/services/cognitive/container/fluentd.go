package container

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"log/slog"
	"net"
	"sync"
	"time"
)

// forwarder sends log records to a Fluentd server by its forward protocol in message mode: [tag, time, {"log": line}] as MessagePack. Records wait in a short queue; what
// doesn't fit, or can't be sent, is lost, since a log must not hold up what it tells of.
type forwarder struct {
	to    *Fluentd
	queue chan []byte
	stop  context.CancelFunc
	done  chan struct{}
}

func newForwarder(to *Fluentd) *forwarder {
	ctx, cancel := context.WithCancel(context.Background())
	f := &forwarder{to: to, queue: make(chan []byte, 256), stop: cancel, done: make(chan struct{})}
	go f.run(ctx)
	return f
}

// Close sends what still waits, for a moment, and ends.
func (f *forwarder) Close() { f.stop(); <-f.done }

func (f *forwarder) run(ctx context.Context) {
	defer close(f.done)
	var conn net.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	for {
		select {
		case m := <-f.queue:
			conn = f.send(conn, m)
		case <-ctx.Done():
			for len(f.queue) > 0 && conn != nil {
				conn = f.send(conn, <-f.queue)
			}
			return
		}
	}
}

// send writes a message, over a new connection if need be; nil when the server can't be reached.
func (f *forwarder) send(conn net.Conn, m []byte) net.Conn {
	for range 2 {
		if conn == nil {
			var err error
			if conn, err = net.DialTimeout("tcp", f.to.Address, 2*time.Second); err != nil {
				return nil
			}
		}
		_ = conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
		if _, err := conn.Write(m); err == nil {
			return conn
		}
		_ = conn.Close()
		conn = nil
	}
	return nil
}

// handler gives a handler whose records go to the server as JSON lines.
func (f *forwarder) handler(level slog.Level) slog.Handler {
	return slog.NewJSONHandler(&forwardWriter{f: f}, &slog.HandlerOptions{Level: level})
}

type forwardWriter struct {
	f  *forwarder
	mu sync.Mutex
}

// Write implements io.Writer: b is one record.
func (w *forwardWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.f.queue <- forwardMessage(w.f.to.Tag, b):
	default:
	}
	return len(b), nil
}

// forwardMessage packs a JSON record; its time is the record's own.
func forwardMessage(tag string, record []byte) []byte {
	var had struct {
		Time time.Time `json:"time"`
	}
	_ = json.Unmarshal(record, &had) // of slog: always has one
	b := []byte{0x93}                // an array of three
	b = packString(b, tag)
	b = append(b, 0xce)
	b = binary.BigEndian.AppendUint32(b, uint32(max(had.Time.Unix(), 0)))
	b = append(b, 0x81) // a map of one
	b = packString(b, "log")
	return packString(b, string(bytes.TrimRight(record, "\n")))
}

func packString(b []byte, s string) []byte {
	b = append(b, 0xdb)
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}
