package notify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestWebhooks_Post(t *testing.T) {
	t.Parallel()
	for status, again := range map[int]bool{200: false, 202: false, 302: false, 400: false, 404: false, 408: true, 429: true, 500: false, 503: true, 504: true} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get(HeaderID) != "id-1" || r.Header.Get("X-More") != "1" || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("headers %v", r.Header)
			}
			if status == 302 {
				w.Header().Set("Location", "/elsewhere")
			}
			w.WriteHeader(status)
		}))
		err := NewWebhooks(nil).Post(t.Context(), Message{URL: s.URL + "/hook?sig=s3cret", ID: "id-1", Agent: "a", Header: http.Header{"X-More": {"1"}}, Body: []byte(`{}`)})
		s.Close()
		if (err == nil) != (status/100 == 2) || err != nil && Again(err) != again {
			t.Errorf("%d: %v, again %t", status, err, err != nil && Again(err))
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error shows the address: %v", err)
		}
	}
	err := NewWebhooks(nil).Post(t.Context(), Message{URL: "http://127.0.0.1:1/hook?sig=s3cret", ID: "x"})
	if err == nil || !Again(err) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]bool{
		"https://a.example.com/x?y=1": true, "http://127.0.0.1:80": true, "ftp://a": false, "https://": false, "https://user@a/": false, "": false, "/x": false, "http://a/" + strings.Repeat("x", 5000): false,
	} {
		if CheckURL(uri) != want {
			t.Errorf("%.40s: want %t", uri, want)
		}
	}
}

// mailbox is an SMTP server of one answer to RCPT; it keeps what it is sent.
func mailbox(t *testing.T, rcpt string) (addr string, got func() string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var mu sync.Mutex
	var all strings.Builder
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r := bufio.NewReader(c)
			fmt.Fprint(c, "220 here\r\n")
			data := false
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					break
				}
				mu.Lock()
				all.WriteString(line)
				mu.Unlock()
				switch {
				case data && line == ".\r\n":
					data = false
					fmt.Fprint(c, "250 taken\r\n")
				case data:
				case strings.HasPrefix(line, "DATA"):
					data = true
					fmt.Fprint(c, "354 go on\r\n")
				case strings.HasPrefix(line, "RCPT"):
					fmt.Fprint(c, rcpt+"\r\n")
				case strings.HasPrefix(line, "QUIT"):
					fmt.Fprint(c, "221 bye\r\n")
				default:
					fmt.Fprint(c, "250 ok\r\n")
				}
			}
			c.Close()
		}
	}()
	return l.Addr().String(), func() string {
		mu.Lock()
		defer mu.Unlock()
		return all.String()
	}
}

func TestMailer(t *testing.T) {
	t.Parallel()
	addr, got := mailbox(t, "250 ok")
	m := &Mailer{Server: addr, From: "alerts@example.com"}
	err := m.Send(t.Context(), Mail{ID: "id-1", To: "a@example.com", Subject: "hot\r\nBcc: evil@example.com", Text: "größer\n.\nend", Time: start})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"MAIL FROM:<alerts@example.com>", "RCPT TO:<a@example.com>", "Message-Id: <id-1@example.com>\r\n", "Subject: hot  Bcc: evil@example.com\r\n", "gr=C3=B6=C3=9Fer"} {
		if !strings.Contains(got(), want) {
			t.Errorf("no %q in:\n%s", want, got())
		}
	}
	if strings.Contains(got(), "\nBcc:") {
		t.Error("a subject made a header")
	}
	refusing, _ := mailbox(t, "550 nobody")
	if err := (&Mailer{Server: refusing, From: "a@b"}).Send(t.Context(), Mail{To: "a@example.com", Time: start}); err == nil || Again(err) {
		t.Errorf("refused for good: %v", err)
	}
	busy, _ := mailbox(t, "451 later")
	if err := (&Mailer{Server: busy, From: "a@b"}).Send(t.Context(), Mail{To: "a@example.com", Time: start}); err == nil || !Again(err) {
		t.Errorf("refused for now: %v", err)
	}
	if err := (*Mailer)(nil).Send(t.Context(), Mail{To: "a@example.com"}); err == nil || Again(err) {
		t.Errorf("no server: %v", err)
	}
	if err := m.Send(t.Context(), Mail{To: "a@example.com>\r\nDATA"}); err == nil || Again(err) {
		t.Errorf("no address: %v", err)
	}
}

// rig is a queue whose attempts are told what to answer.
type rig struct {
	t      *testing.T
	st     store.Store
	clk    *clock.Fake
	q      *Queue
	mu     sync.Mutex
	tried  []string
	ended  []string
	answer func(d Delivery) error
}

func newRig(t *testing.T) *rig {
	st, err := pebble.Open("db", pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	r := &rig{t: t, st: st, clk: clock.NewFake(start), answer: func(Delivery) error { return nil }}
	r.q = NewQueue(st, r.clk, slog.New(slog.DiscardHandler), "m/", Handler{
		Deliver: func(_ context.Context, _ string, d Delivery) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.tried = append(r.tried, d.ID)
			return r.answer(d)
		},
		Settle: func(tx store.Tx, d Delivery, failure string, _ time.Time) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.ended = append(r.ended, strings.TrimSpace(d.ID+" "+failure))
			return tx.Put([]byte("settled|"+d.ID), []byte(failure))
		},
	})
	return r
}

func (r *rig) put(list ...Delivery) {
	r.t.Helper()
	for i := range list {
		list[i].Created, list[i].Due = r.clk.Now(), r.clk.Now()
	}
	if _, err := r.st.Update(r.t.Context(), "m/1", func(tx store.Tx) error { return Put(tx, list) }); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) round(after time.Duration) {
	r.t.Helper()
	r.clk.Advance(after)
	if err := r.q.Round(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) want(tried, ended []string) {
	r.t.Helper()
	if d := cmp.Diff(tried, r.tried) + cmp.Diff(ended, r.ended); d != "" {
		r.t.Errorf("tried and ended (-want +got):\n%s", d)
	}
}

func TestQueue_OrderAndRest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	down := true
	r.answer = func(d Delivery) error {
		if d.Endpoint == "down" && down {
			return &StatusError{"h", 503}
		}
		return nil
	}
	r.put(Delivery{ID: "1", Endpoint: "down", Order: "x"}, Delivery{ID: "2", Endpoint: "down", Order: "x"})
	r.round(0)
	r.want([]string{"1"}, nil) // 2 is of the same order
	r.put(Delivery{ID: "3", Endpoint: "up", Order: "x"})
	r.round(time.Second)
	r.want([]string{"1", "3"}, []string{"3"}) // another endpoint does not wait
	r.round(9 * time.Second)
	r.round(30 * time.Second)
	r.want([]string{"1", "3", "1", "1"}, []string{"3"})
	r.put(Delivery{ID: "4", Endpoint: "down", Order: "y"})
	r.round(14 * time.Minute)
	r.want([]string{"1", "3", "1", "1"}, []string{"3"}) // the endpoint is left alone, by others too
	down = false
	r.round(time.Minute)
	r.want([]string{"1", "3", "1", "1", "1", "2", "4"}, []string{"3", "1", "2", "4"})
}

func TestQueue_GivesUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.answer = func(Delivery) error { return errors.New("nobody there") }
	r.put(Delivery{ID: "1", Endpoint: "e"})
	for range 24*4 + 2 {
		r.round(0)
		r.round(10 * time.Second)
		r.round(30 * time.Second)
		r.round(15 * time.Minute)
	}
	if d := cmp.Diff([]string{"1 nobody there"}, r.ended); d != "" {
		t.Errorf("ended (-want +got):\n%s", d)
	}
	r = newRig(t)
	r.answer = func(Delivery) error { return Permanent(errors.New("no such receiver")) }
	r.put(Delivery{ID: "1", Endpoint: "e"}, Delivery{ID: "2", Endpoint: "e"})
	r.round(0)
	r.want([]string{"1", "2"}, []string{"1 no such receiver", "2 no such receiver"})
}

// Rounds beside each other make no delivery twice, and a panic is a failure like others.
func TestQueue_Together(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.answer = func(d Delivery) error {
		if d.ID == "7" {
			panic("wanted")
		}
		return nil
	}
	for i := range 20 {
		r.put(Delivery{ID: fmt.Sprint(i), Endpoint: fmt.Sprint(i % 3), Order: fmt.Sprint(i)})
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { _ = r.q.Round(t.Context()) })
	}
	all.Wait()
	r.round(0)
	seen := map[string]int{}
	for _, id := range r.tried {
		if seen[id]++; seen[id] > 1 {
			t.Errorf("%s was made twice", id)
		}
	}
	if len(r.tried) != 20 || len(r.ended) != 20 {
		t.Errorf("%d tried, %d ended", len(r.tried), len(r.ended))
	}
}
