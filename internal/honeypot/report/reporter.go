package report

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/batch"
	"github.com/bulkheadhq/bulkhead/agent/queue"
	"github.com/bulkheadhq/bulkhead/agent/send"
	"github.com/bulkheadhq/bulkhead/internal/honeypot"
	"github.com/bulkheadhq/bulkhead/internal/ids"
)

const (
	every     = 200 * time.Millisecond
	maxQueued = 20_000 // observations and visits that wait for the disk
	textRoom  = MaxBytes / 2
	position  = "stream" // in the queue: which one this is
)

// Options are a Reporter's. Those of the last line may be zero.
type Options struct {
	Dir    string // of the queue
	Client send.Poster
	Log    *slog.Logger

	Limit            int64 // bytes of the queue
	MinWait, MaxWait time.Duration
}

// Reporter is what a honeypot tells. Observe and Attack may be called from any goroutine and don't wait.
type Reporter struct {
	o      Options
	queue  *queue.Queue
	stream string

	mu      sync.Mutex
	waiting Report

	ring chan struct{}
}

// Open opens the queue.
func Open(o Options) (*Reporter, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	q, err := queue.Open(o.Dir, queue.Options{Limit: o.Limit, Thin: thin})
	if err != nil {
		return nil, err
	}
	r := &Reporter{o: o, queue: q, stream: string(q.Positions()[position]), ring: make(chan struct{}, 1)}
	if r.stream == "" {
		r.stream = ids.New()
	}
	return r, nil
}

// Close stores what was told last, after Run, and ends the use of the queue.
func (r *Reporter) Close() error {
	r.store()
	return r.queue.Close()
}

// Observe takes an observation; honeypot.Config.Observe.
func (r *Reporter) Observe(o honeypot.Observation) {
	r.add(func(w *Report) {
		w.Observations = append(w.Observations, Observation{Kind: o.Kind, Value: cut(o.Value), Note: cut(o.Note), Session: o.Session, Source: o.Source, Time: o.Time})
	})
}

// Attack takes a visit; honeypot.Config.Attack.
func (r *Reporter) Attack(a honeypot.Attack) {
	v := Visit{Session: a.Session, Protocol: a.Protocol, Source: a.Source, First: a.First, Last: a.Last, Tries: a.Tries, User: a.User, Ended: a.Ended}
	n := 0
	for _, list := range []struct {
		from []string
		to   *[]string
	}{{a.Lines, &v.Lines}, {a.URLs, &v.URLs}} {
		for _, l := range list.from {
			l = cut(l)
			if n += written(l); len(*list.to) == maxLines || n > textRoom/4 {
				break
			}
			*list.to = append(*list.to, l)
		}
	}
	r.add(func(w *Report) { w.Visits = append(w.Visits, v) })
}

// cut leaves of a text what a report takes, in whole characters: what is none becomes a mark, as JSON would have it.
func cut(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "")
}

// written is how many bytes a text takes in a report, escapes included: an intruder may choose one of which nothing but escapes is written.
func written(s string) int {
	n := len(s) + 3
	for _, c := range s {
		switch {
		case c < ' ', c == '<', c == '>', c == '&', c == '\u2028', c == '\u2029':
			n += 5
		case c == '"', c == '\\':
			n++
		}
	}
	return n
}

func (r *Reporter) add(put func(*Report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting.Observations)+len(r.waiting.Visits) >= maxQueued {
		r.waiting.Dropped++
	} else {
		put(&r.waiting)
	}
	select {
	case r.ring <- struct{}{}:
	default:
	}
}

// Run stores what is told, and sends it, until ctx ends, which is no error, or the platform refuses the machine (enrol.ErrRefused). What wasn't sent stays in the queue.
func (r *Reporter) Run(ctx context.Context) error {
	sender := send.New(send.Options{
		Queue: r.queue, Client: r.o.Client, Log: r.o.Log, MinWait: r.o.MinWait, MaxWait: r.o.MaxWait,
		Path: "/bulkhead/honeypot/report?stream=" + url.QueryEscape(r.stream) + "&sequence=",
		Spoiled: func(packed []byte) ([]byte, error) {
			lost := Report{Dropped: 1}
			if was, err := Decode(packed); err == nil {
				lost.Dropped = was.Dropped + uint64(len(was.Observations)+len(was.Visits))
			}
			return Encode(&lost)
		},
	})
	var sending sync.WaitGroup
	var refused error
	stop, end := context.WithCancel(ctx)
	defer end()
	sending.Go(func() {
		refused = sender.Run(stop)
		end()
	})
	for stop.Err() == nil {
		select {
		case <-stop.Done():
		case <-r.ring:
			select { // for more
			case <-stop.Done():
			case <-time.After(every):
			}
		}
		r.store()
	}
	sending.Wait()
	return refused
}

// store moves what waits to the queue.
func (r *Reporter) store() {
	for {
		part := r.part()
		if part == nil {
			return
		}
		packed, err := Encode(part)
		if err == nil && len(packed) > min(MaxBytes, batch.MaxPacked) { // which it can't be: texts are cut
			r.o.Log.Error("what the honeypot learned was too large to be told", "observations", len(part.Observations), "visits", len(part.Visits))
			packed, err = Encode(&Report{Dropped: uint64(len(part.Observations) + len(part.Visits))})
		}
		if err == nil {
			err = r.queue.Append([][]byte{packed}, map[string][]byte{position: []byte(r.stream)})
		}
		if err != nil {
			r.o.Log.Error("what the honeypot learned can't be stored, and is kept in memory", "error", err)
			r.back(part)
			return
		}
	}
}

// part takes of what waits as much as fits a report; nil if nothing does.
func (r *Reporter) part() *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := &r.waiting
	if len(w.Observations)+len(w.Visits) == 0 && w.Dropped == 0 {
		return nil
	}
	out := &Report{Dropped: w.Dropped}
	w.Dropped = 0
	room := textRoom
	for len(w.Visits) > 0 && len(out.Visits) < maxReported/10 {
		v := w.Visits[0]
		for _, list := range [][]string{v.Lines, v.URLs} {
			for _, l := range list {
				room -= written(l)
			}
		}
		if room -= 400; room < 0 && len(out.Visits) > 0 {
			break
		}
		out.Visits, w.Visits = append(out.Visits, v), w.Visits[1:]
	}
	for len(w.Observations) > 0 && len(out.Observations) < maxReported {
		o := w.Observations[0]
		if room -= written(o.Value) + written(o.Note) + 300; room < 0 && len(out.Visits)+len(out.Observations) > 0 {
			break
		}
		out.Observations, w.Observations = append(out.Observations, o), w.Observations[1:]
	}
	return out
}

// back returns a part that could not be stored.
func (r *Reporter) back(part *Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := &r.waiting
	w.Observations, w.Visits = append(part.Observations, w.Observations...), append(part.Visits, w.Visits...)
	w.Dropped += part.Dropped
}

// thin gives up what matters less where the queue is full: observations first, visits last.
func thin(packed []byte, least int) ([]byte, uint64, error) {
	was, err := Decode(packed)
	if err != nil {
		return packed, 0, nil // it isn't ours to judge: the platform refuses it
	}
	n := uint64(len(was.Observations))
	was.Observations = nil
	if least == 0 {
		n += uint64(len(was.Visits))
		was.Visits = nil
	}
	if n == 0 {
		return packed, 0, nil
	}
	was.Dropped += n
	packed, err = Encode(was)
	return packed, n, err
}
