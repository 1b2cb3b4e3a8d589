package storetest

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// stormDir tells a child process of RunKill where to write.
const stormDir = "BULKHEAD_STORM_DIR"

const (
	stormShards  = 3
	stormWriters = 8 // a shard
)

// RunKill kills, with SIGKILL, a process that writes as fast as it can, and checks that everything it was told is
// committed is there, that nothing is there by halves, and that LSNs have no gap; then again on the same files. name is
// the calling test's own: the child process is this test binary running that test alone. Five times, or as often as
// BULKHEAD_SOAK_KILLS says.
func RunKill(t *testing.T, name string, open Opener) {
	if dir := os.Getenv(stormDir); dir != "" {
		storm(t, open(t, dir))
		return
	}
	kills := 5
	if s := os.Getenv("BULKHEAD_SOAK_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatalf("BULKHEAD_SOAK_KILLS=%s: %v", s, err)
		}
	}
	dir := t.TempDir()
	acked := map[string]uint64{} // the last of each writer
	total := 0
	for i := range kills {
		n := runAndKill(t, name, dir, acked, time.Duration(20+i*37%150)*time.Millisecond)
		total += n
		st := open(t, dir)
		checkStorm(t, st, acked)
		closeStore(t, st)
		if t.Failed() {
			t.Fatalf("after kill %d", i+1)
		}
	}
	if total < 50*kills {
		t.Errorf("only %d commits in %d rounds: the storm proves little", total, kills)
	}
	t.Logf("%d acknowledged commits survived %d kills", total, kills)
}

// runAndKill runs the child until some time after its first acknowledgement, and notes what it acknowledged.
func runAndKill(t *testing.T, name, dir string, acked map[string]uint64, after time.Duration) int {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+name+"$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), stormDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n := 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var writer string
		var value uint64
		if _, err := fmt.Sscanf(lines.Text(), "ack %s %d end", &writer, &value); err != nil {
			continue // cut off by the kill
		}
		if n++; n == 1 {
			time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
		acked[writer] = max(acked[writer], value)
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if n == 0 || !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("child ended by itself after %d acknowledgements: %v", n, err)
	}
	return n
}

// storm writes until it is killed. Each transaction counts up its writer, under two keys, and the shard's log.
func storm(t *testing.T, st store.Store) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for s := range stormShards {
		for w := range stormWriters {
			wg.Go(func() {
				shard, writer := fmt.Sprintf("storm/%d", s), fmt.Sprintf("w%d", w)
				for range 1_000_000 {
					var value uint64
					_, err := st.Update(context.Background(), shard, func(tx store.Tx) error {
						v, err := tx.Get([]byte("a/" + writer))
						if err != nil {
							return err
						}
						value = 1
						if v != nil {
							value = binary.BigEndian.Uint64(v) + 1
						}
						log := binary.BigEndian.AppendUint64([]byte("L|"), uint64(tx.LSN()))
						return errors.Join(tx.Put([]byte("a/"+writer), num(value)), tx.Put([]byte("b/"+writer), num(value)),
							tx.Put(log, make([]byte, 100)))
					})
					if err != nil {
						t.Errorf("Update: %v", err)
						return
					}
					mu.Lock()
					fmt.Fprintf(os.Stdout, "ack %s/%s %d end\n", shard, writer, value)
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
}

func checkStorm(t *testing.T, st store.Store, acked map[string]uint64) {
	t.Helper()
	for s := range stormShards {
		shard := fmt.Sprintf("storm/%d", s)
		view(t, st, shard, func(snap store.Snapshot) error {
			var sum uint64
			for w := range stormWriters {
				writer := fmt.Sprintf("w%d", w)
				a, err := snap.Get([]byte("a/" + writer))
				if err != nil {
					return err
				}
				b, err := snap.Get([]byte("b/" + writer))
				if err != nil {
					return err
				}
				if string(a) != string(b) {
					t.Errorf("%s/%s: half a transaction: a %v, b %v", shard, writer, a, b)
				}
				var got uint64
				if a != nil {
					got = binary.BigEndian.Uint64(a)
				}
				if want := acked[shard+"/"+writer]; got < want {
					t.Errorf("%s/%s: acknowledged %d, found %d", shard, writer, want, got)
				}
				sum += got
			}
			if sum != uint64(snap.LSN()) {
				t.Errorf("%s: %d commits at LSN %d", shard, sum, snap.LSN())
			}
			var n uint64
			err := snap.Scan(store.Prefix([]byte("L|")), func(k, _ []byte) bool {
				n++
				if got := binary.BigEndian.Uint64(k[2:]); got != n {
					t.Errorf("%s: log has %d where %d belongs", shard, got, n)
					return false
				}
				return true
			})
			if n != sum {
				t.Errorf("%s: %d log records of %d commits", shard, n, sum)
			}
			return err
		})
	}
}

// RunBench measures an engine; each sub-benchmark gets a new store from open. The test's own folder is on disk.
func RunBench(b *testing.B, open func(b *testing.B, dir string) store.Store) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("Update/%dwriters", writers), func(b *testing.B) {
			st := open(b, b.TempDir())
			defer st.Close()
			benchUpdate(b, st, writers)
		})
	}
	b.Run("ViewGet", func(b *testing.B) {
		st := open(b, b.TempDir())
		defer st.Close()
		fillBench(b, st, 1000)
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			k := key(i % 1000)
			i++
			if err := st.View(context.Background(), "s", func(s store.Snapshot) error {
				v, err := s.Get(k)
				if v == nil {
					return io.ErrUnexpectedEOF
				}
				return err
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ViewLSN", func(b *testing.B) {
		st := open(b, b.TempDir())
		defer st.Close()
		fillBench(b, st, 1)
		b.ReportAllocs()
		for b.Loop() {
			if err := st.View(context.Background(), "s", func(s store.Snapshot) error { _ = s.LSN(); return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Scan100", func(b *testing.B) {
		st := open(b, b.TempDir())
		defer st.Close()
		fillBench(b, st, 100)
		b.ReportAllocs()
		for b.Loop() {
			if err := st.View(context.Background(), "s", func(s store.Snapshot) error {
				return s.Scan(store.Range{}, func(_, _ []byte) bool { return true })
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func fillBench(b *testing.B, st store.Store, n int) {
	b.Helper()
	_, err := st.Update(context.Background(), "s", func(tx store.Tx) error { return fill(tx, n, make([]byte, 500)) })
	if err != nil {
		b.Fatal(err)
	}
}

// benchUpdate: each transaction reads a key and writes four, 700 bytes in all, as creating a document does.
func benchUpdate(b *testing.B, st store.Store, writers int) {
	b.Helper()
	b.ReportAllocs()
	var next sync.Mutex
	left := b.N
	body := make([]byte, 600)
	var wg sync.WaitGroup
	b.ResetTimer()
	for w := range writers {
		wg.Go(func() {
			for i := 0; ; i++ {
				next.Lock()
				left--
				stop := left < 0
				next.Unlock()
				if stop {
					return
				}
				id := fmt.Sprintf("%d/%d", w, i)
				_, err := st.Update(context.Background(), "s", func(tx store.Tx) error {
					if v, err := tx.Get([]byte("D|" + id)); v != nil || err != nil {
						return fmt.Errorf("%s is there already: %w", id, err)
					}
					log := binary.BigEndian.AppendUint64([]byte("L|"), uint64(tx.LSN()))
					return errors.Join(tx.Put([]byte("D|"+id), body), tx.Put([]byte("I|a|"+id), nil), tx.Put([]byte("I|b|"+id), nil), tx.Put(log, []byte(id)))
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}
