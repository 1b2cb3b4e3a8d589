package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const webhookTimeout = 10 * time.Second

// HeaderID is the header with the stable id of what is posted.
const HeaderID = "X-Bulkhead-Event"

// Message is what is posted.
type Message struct {
	URL    string // never shown
	ID     string // stable: a receiver knows by it what it has seen already
	Agent  string
	Header http.Header // further ones; the message's own win
	Body   []byte      // JSON
}

// Webhooks posts messages. Safe for concurrent use.
type Webhooks struct{ client *http.Client }

// NewWebhooks makes Webhooks of a client; nil: one with a timeout that follows no redirects.
func NewWebhooks(client *http.Client) *Webhooks {
	if client == nil {
		client = &http.Client{Timeout: webhookTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return &Webhooks{client}
}

// CheckURL tells whether an address may be a webhook: http or https, with a host, and without a user.
func CheckURL(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && len(uri) <= 4096
}

// StatusError is the answer of a receiver that did not take a message.
type StatusError struct {
	Host   string
	Status int
}

// Error implements error.
func (e *StatusError) Error() string { return fmt.Sprintf("the webhook at %s answered %d", e.Host, e.Status) }

// permanent is an error that another attempt would not cure.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error as one that another attempt would not cure.
func Permanent(err error) error { return permanent{err} }

// Again tells whether another attempt is of use: after no answer, or one of 408, 429, 503 and 504.
func Again(err error) bool {
	var p permanent
	if errors.As(err, &p) {
		return false
	}
	var s *StatusError
	if !errors.As(err, &s) {
		return true
	}
	switch s.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// Post sends a message. Whoever answers 2xx has it; another answer is a *StatusError.
func (w *Webhooks) Post(ctx context.Context, m Message) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return Permanent(errors.New("the webhook's address can't be used"))
	}
	for name, values := range m.Header {
		q.Header[name] = values
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("User-Agent", m.Agent)
	q.Header.Set(HeaderID, m.ID)
	a, err := w.client.Do(q)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return fmt.Errorf("the webhook at %s did not answer: %w", q.URL.Host, err)
	}
	defer a.Body.Close()
	_, _ = io.CopyN(io.Discard, a.Body, 1<<16)
	if a.StatusCode/100 != 2 {
		return &StatusError{q.URL.Host, a.StatusCode}
	}
	return nil
}
