//go:build unix

package app

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/batch"
	"github.com/bulkheadhq/bulkhead/agent/replay"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// storm appends to an audit.log what a busy machine would, each command line with a number of its own, until it is told that it is enough. It tells how many there are.
func storm(t *testing.T, name string, enough <-chan struct{}) (events int) {
	f, err := os.Create(name)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer f.Close()
	const least = 3000
	written := 0
	log := &replay.Log{Now: time.Now().Add(-time.Hour)}
	p := replay.Process{Parent: 1, AUID: 1000, UID: 1000, Session: 2, Dir: "/srv"}
	for over := false; !over || events < least; {
		for range 20 {
			p.PID = log.PID()
			log.Exec(p, "/bin/true", []string{"true", fmt.Sprint("marker-", events)})
			events++
		}
		text := log.Audit()
		if _, err := f.WriteString(text[written:]); err != nil {
			t.Error(err)
			return events
		}
		written = len(text)
		select {
		case <-enough:
			over = true
		case <-time.After(20 * time.Millisecond):
		}
	}
	return events
}

// TestAgent_EachEventOnce: while a machine is busy, its platform is killed, its network cut and its agent killed, again and again. Each event reaches the platform once, in order.
func TestAgent_EachEventOnce(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes and kills them")
	}
	f := newField(t)
	auditLog, platform, between, front, data := filepath.Join(f.dir, "audit.log"), f.platform, f.between, f.front, f.data
	agent := f.agent("--audit-log", auditLog, "--from-start")
	agent.start()

	enough, written := make(chan struct{}), make(chan int, 1)
	go func() { written <- storm(t, auditLog, enough) }()
	for round := range 6 {
		time.Sleep(500 * time.Millisecond)
		switch round % 3 {
		case 0:
			agent.end(syscall.SIGKILL)
			agent.start()
		case 1:
			between.cut(true)
			time.Sleep(400 * time.Millisecond)
			between.cut(false)
		default:
			platform.end(syscall.SIGKILL)
			time.Sleep(200 * time.Millisecond)
			platform.start()
			waitFor(t, front)
		}
	}
	close(enough)
	total := <-written
	// What is left arrives: looked at by reading the platform's own store, between its runs.
	var got []string
	for deadline := time.Now().Add(2 * time.Minute); ; {
		waitFor(t, front)
		time.Sleep(3 * time.Second)
		agent.end(syscall.SIGTERM)
		platform.end(syscall.SIGTERM)
		if got = arrived(t, data); len(got) >= total || time.Now().After(deadline) {
			break
		}
		platform.start()
		agent.start()
	}
	if len(got) != total {
		t.Errorf("%d events arrived, of %d", len(got), total)
	}
	for i, line := range got {
		if want := fmt.Sprint("true marker-", i); line != want {
			t.Fatalf("event %d is %q, want %q", i, line, want)
		}
	}
}

// arrived are the command lines in the batches that the platform keeps of its only machine.
func arrived(t *testing.T, data string) (lines []string) {
	t.Helper()
	for _, b := range batches(t, data) {
		if b.Counters.Any() {
			t.Errorf("something is told lost: %+v", b.Counters)
		}
		for _, e := range b.Events {
			if e.Lost > 0 {
				text, _ := json.Marshal(e)
				t.Errorf("something is told lost: %s", text)
			}
			if len(e.Command.Line) > 0 {
				lines = append(lines, string(e.Command.Line))
			}
		}
	}
	return lines
}

// batches are what the platform keeps of its only machine, whose numbers must go on without a gap. The platform doesn't run.
func batches(t *testing.T, data string) (all []*batch.Batch) {
	t.Helper()
	cfg := Defaults()
	cfg.Data = data
	p, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler), Addresses{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	shards, err := p.store.Shards(t.Context(), "machine/", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(shards) > 1 {
		t.Fatalf("machines: %v", shards)
	}
	for _, shard := range shards {
		var packed [][]byte
		err := p.store.View(t.Context(), shard, func(s store.Snapshot) error {
			return s.Scan(store.Prefix([]byte("B|")), func(k, v []byte) bool {
				if n := binary.BigEndian.Uint64(k[2:]); n != uint64(len(packed))+1 {
					t.Errorf("batch %d is followed by %d", len(packed), n)
				}
				packed = append(packed, bytes.Clone(v[bytes.Index(v, []byte("BHB")):]))
				return true
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range packed {
			b, err := batch.Decode(one)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b)
		}
	}
	return all
}
