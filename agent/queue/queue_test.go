package queue

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/batch"
)

// pack makes a batch of events, each a kind and a text.
func pack(t testing.TB, events ...activity.Event) []byte {
	t.Helper()
	out, err := batch.Encode(&batch.Batch{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func event(kind activity.Kind, text string) activity.Event {
	return activity.Event{Kind: kind, Command: activity.Command{Line: []byte(text)}}
}

func open(t testing.TB, dir string, o Options) *Queue {
	t.Helper()
	q, err := Open(dir, o)
	// A process that another test forked holds the lock of a closed queue until it runs its own program.
	for end := time.Now().Add(time.Minute); errors.Is(err, ErrLocked) && time.Now().Before(end); q, err = Open(dir, o) {
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func appendTo(t testing.TB, q *Queue, position string, packed ...[]byte) {
	t.Helper()
	if err := q.Append(packed, map[string][]byte{"log": []byte(position)}); err != nil {
		t.Fatal(err)
	}
}

// drain takes everything out, and tells the texts of the events and what was dropped.
func drain(t testing.TB, q *Queue) (texts []string, dropped [batch.Priorities]uint64, numbers []uint64) {
	t.Helper()
	for {
		seq, packed, err := q.Next()
		if err != nil {
			t.Fatal(err)
		}
		if packed == nil {
			return texts, dropped, numbers
		}
		b, err := batch.Decode(packed)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Events {
			texts = append(texts, string(e.Command.Line))
		}
		for i, n := range b.Counters.Dropped {
			dropped[i] += n
		}
		numbers = append(numbers, seq)
		if err := q.Ack(seq); err != nil {
			t.Fatal(err)
		}
	}
}

func TestQueue_GoesOn(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "queue")
	q := open(t, dir, Options{Segment: 300})
	if !q.Fresh() {
		t.Error("a new queue isn't fresh")
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second process: %v", err)
	}
	for i := range 10 {
		appendTo(t, q, fmt.Sprint("p", i), pack(t, event(activity.Exec, fmt.Sprint("a", i))), pack(t, event(activity.Exec, fmt.Sprint("b", i))))
	}
	seq, first, err := q.Next()
	if err != nil || seq != 1 {
		t.Fatalf("the first is %d, %v", seq, err)
	}
	if again, same, _ := q.Next(); again != 1 || !slices.Equal(first, same) {
		t.Errorf("what isn't acknowledged isn't answered again: %d", again)
	}
	if err := q.Ack(7); err != nil {
		t.Fatal(err)
	}
	if seq, _, _ := q.Next(); seq != 8 {
		t.Errorf("after 7 comes %d", seq)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = open(t, dir, Options{Segment: 300})
	if got := string(q.Positions()["log"]); got != "p9" || q.Fresh() {
		t.Errorf("it goes on at %q", got)
	}
	if err := q.Ack(7); err != nil { // as the platform says at the first contact
		t.Fatal(err)
	}
	texts, _, numbers := drain(t, q)
	if want := "b3 a4 b4 a5 b5 a6 b6 a7 b7 a8 b8 a9 b9"; strings.Join(texts, " ") != want || numbers[0] != 8 || numbers[len(numbers)-1] != 20 {
		t.Errorf("got %v as %v", texts, numbers)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*"+suffix)); len(files) != 1 {
		t.Errorf("%d files are left, want the one that remembers where it was", len(files))
	}
	_ = q.Close()
	q = open(t, dir, Options{Segment: 300})
	appendTo(t, q, "p10", pack(t))
	if s := q.Status(); s.Last != 21 {
		t.Errorf("after all were taken, the next has the number %d", s.Last)
	}
}

// The platform knows of batches that this queue has forgotten.
func TestQueue_Behind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := open(t, dir, Options{})
	appendTo(t, q, "p", pack(t, event(activity.Exec, "old")))
	if err := q.Ack(100); err != nil {
		t.Fatal(err)
	}
	appendTo(t, q, "p", pack(t, event(activity.Exec, "new")))
	for range 2 {
		if seq, packed, err := q.Next(); seq != 101 || packed == nil || err != nil {
			t.Fatalf("next is %d, %v", seq, err)
		}
		_ = q.Close()
		q = open(t, dir, Options{})
		_ = q.Ack(100)
	}
}

// Whatever a crash leaves of the last turn, the turns before it are there and the positions are those of the last whole one.
func TestQueue_Torn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := open(t, dir, Options{})
	for i := range 3 {
		appendTo(t, q, fmt.Sprint("p", i), pack(t, event(activity.Exec, fmt.Sprint("a", i))), pack(t, event(activity.Exec, fmt.Sprint("b", i))))
	}
	_ = q.Close()
	names, _ := filepath.Glob(filepath.Join(dir, "*"+suffix))
	whole, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	var ends []int // of turns
	for at := 0; at < len(whole); {
		f, size, err := readFrame(whole[at:])
		if err != nil {
			t.Fatal(err)
		}
		if at += size; f.last {
			ends = append(ends, at)
		}
	}
	check := func(what string, b []byte, turns int) {
		t.Helper()
		other := t.TempDir()
		if err := os.WriteFile(filepath.Join(other, filepath.Base(names[0])), b, 0o600); err != nil {
			t.Fatal(err)
		}
		q, err := Open(other, Options{})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		defer q.Close()
		texts, _, _ := drain(t, q)
		var want []string
		for i := range turns {
			want = append(want, fmt.Sprint("a", i), fmt.Sprint("b", i))
		}
		position := ""
		if turns > 0 {
			position = fmt.Sprint("p", turns-1)
		}
		if got := string(q.Positions()["log"]); !slices.Equal(texts, want) || got != position {
			t.Errorf("%s: %v at %q, want %v at %q", what, texts, got, want, position)
		}
		appendTo(t, q, "on", pack(t, event(activity.Exec, "on")))
		if texts, _, numbers := drain(t, q); len(texts) != 1 || numbers[0] != uint64(2*turns+1) {
			t.Errorf("%s: going on gives %v as %v", what, texts, numbers)
		}
	}
	turns := func(length int) (n int) {
		for _, e := range ends {
			if e <= length {
				n++
			}
		}
		return n
	}
	for length := 0; length <= len(whole); length += 3 {
		check(fmt.Sprint("cut at ", length), whole[:length], turns(length))
		flipped := slices.Clone(whole)
		if length < len(whole) {
			flipped[length] ^= 0x10
			check(fmt.Sprint("damaged at ", length), flipped, turns(length))
		}
	}
	check("zeros behind it", append(slices.Clone(whole), make([]byte, 5000)...), 3)
}

// When there is no room, the least important events go first, the oldest of them before the newer ones, and the batches say how many.
func TestQueue_Full(t *testing.T) {
	t.Parallel()
	const limit = 40 << 10
	q := open(t, t.TempDir(), Options{Limit: limit})
	r := rand.New(rand.NewPCG(1, 1))
	noise := func() string {
		b := make([]byte, 60)
		for i := range b {
			b[i] = byte('a' + r.IntN(26))
		}
		return string(b)
	}
	var put [batch.Priorities]uint64
	kinds := []activity.Kind{activity.SignIn, activity.Exec, activity.Write, activity.Other}
	for i := range 400 {
		var events []activity.Event
		for p, k := range kinds {
			if p == 0 && i%20 != 0 {
				continue
			}
			events = append(events, event(k, fmt.Sprintf("%d-%d %s", p, i, noise())))
			put[p]++
		}
		appendTo(t, q, fmt.Sprint(i), pack(t, events...))
		if s := q.Status(); s.Bytes > limit {
			t.Fatalf("after %d turns the files take %d bytes", i, s.Bytes)
		}
	}
	told := q.Status().Dropped
	texts, dropped, numbers := drain(t, q)
	var got [batch.Priorities]uint64
	oldest := [batch.Priorities]int{-1, -1, -1, -1}
	for _, s := range texts {
		p := int(s[0] - '0')
		i, _ := strconv.Atoi(strings.Fields(s[2:])[0])
		if oldest[p] < 0 {
			oldest[p] = i
		}
		if got[p]++; got[p] > 1 && p > 0 && uint64(i-oldest[p]+1) != got[p] {
			t.Fatalf("of priority %d, %d is there and others after %d are not", p, i, oldest[p])
		}
	}
	for p := range put {
		if got[p]+dropped[p] != put[p] {
			t.Errorf("of priority %d, %d came and %d are told dropped, of %d", p, got[p], dropped[p], put[p])
		}
	}
	if len(numbers) != 400 || got[0] != put[0] || got[3] >= got[1] || got[1] == 0 || dropped[3] == 0 {
		t.Errorf("%d batches with %v events, dropped %v", len(numbers), got, dropped)
	}
	if sum := dropped[0] + dropped[1] + dropped[2] + dropped[3]; sum != told {
		t.Errorf("the queue says that %d were dropped, the batches %d", told, sum)
	}
}

// After any sequence of turns, acknowledgements and restarts, what comes out is what was put in, in order.
func TestQueue_Random(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 7))
		dir := t.TempDir()
		o := Options{Segment: 200 + int64(r.IntN(1000))}
		q := open(t, dir, o)
		var put, got []string
		next, acked := 0, uint64(0)
		for range 150 {
			switch r.IntN(5) {
			case 0, 1:
				var turn [][]byte
				for range 1 + r.IntN(3) {
					text := fmt.Sprint(next)
					next++
					put = append(put, text)
					turn = append(turn, pack(t, event(activity.Exec, text)))
				}
				appendTo(t, q, fmt.Sprint(next), turn...)
			case 2, 3:
				seq, packed, err := q.Next()
				if err != nil {
					t.Fatal(err)
				}
				if packed == nil {
					continue
				}
				b, err := batch.Decode(packed)
				if err != nil {
					t.Fatal(err)
				}
				if seq > acked { // as the platform does
					acked = seq
					got = append(got, string(b.Events[0].Command.Line))
				}
				if r.IntN(4) > 0 {
					if err := q.Ack(acked); err != nil {
						t.Fatal(err)
					}
				}
			default:
				_ = q.Close()
				q = open(t, dir, o)
				if p := q.Positions()["log"]; next > 0 && string(p) != fmt.Sprint(next) {
					t.Fatalf("seed %d: it goes on at %s, want %d", seed, p, next)
				}
			}
		}
		_ = q.Ack(acked)
		rest, _, _ := drain(t, q)
		if d := cmp.Diff(put, append(got, rest...)); d != "" {
			t.Fatalf("seed %d: %s", seed, d)
		}
	}
}

// TestQueue_Killed kills a process amid its turns: each that it said was stored is there, once.
func TestQueue_Killed(t *testing.T) {
	if dir := os.Getenv("QUEUE_TEST_DIR"); dir != "" {
		fill(t, dir)
		return
	}
	t.Parallel()
	dir := t.TempDir()
	stored := 0
	for range 5 {
		c := exec.Command(os.Args[0], "-test.run=^TestQueue_Killed$")
		c.Env = append(os.Environ(), "QUEUE_TEST_DIR="+dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n < 40 && lines.Scan(); n++ {
			if text, ok := strings.CutPrefix(lines.Text(), "stored "); ok {
				stored, _ = strconv.Atoi(text)
			}
		}
		time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
		_ = c.Process.Kill()
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), "stored "); ok {
				stored, _ = strconv.Atoi(text)
			}
		}
		_ = c.Wait()
	}
	if stored < 100 {
		t.Fatalf("the processes stored %d turns; did they run?", stored)
	}
	q := open(t, dir, Options{Segment: 2000})
	texts, _, _ := drain(t, q)
	for i, s := range texts {
		if s != fmt.Sprint(i+1) {
			t.Fatalf("event %d is %s", i+1, s)
		}
	}
	if len(texts) < stored || len(texts) > stored+1 || string(q.Positions()["log"]) != fmt.Sprint(len(texts)) {
		t.Errorf("%d events at %s, of %d that were stored", len(texts), q.Positions()["log"], stored)
	}
}

func fill(t *testing.T, dir string) {
	q := open(t, dir, Options{Segment: 2000})
	at, _ := strconv.Atoi(string(q.Positions()["log"]))
	for i := at + 1; ; i++ {
		appendTo(t, q, fmt.Sprint(i), pack(t, event(activity.Exec, fmt.Sprint(i))))
		fmt.Println("stored", i)
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add(appendFrame(nil, &frame{seq: 7, last: true, positions: map[string][]byte{"a": []byte("b"), "c": nil}, packed: []byte("x")})[headSize:])
	f.Fuzz(func(t *testing.T, body []byte) {
		b := append(make([]byte, headSize), body...)
		putHead(b) // so that the fuzzer gets past the checksum
		got, size, err := readFrame(b)
		if err != nil {
			return
		}
		if size != len(b) {
			t.Errorf("%d bytes of %d", size, len(b))
		}
		again, _, err := readFrame(appendFrame(nil, &got))
		if err != nil || again.seq != got.seq || again.last != got.last || len(again.positions) != len(got.positions) || !slices.Equal(again.packed, got.packed) {
			t.Errorf("%+v became %+v, %v", got, again, err)
		}
	})
}
