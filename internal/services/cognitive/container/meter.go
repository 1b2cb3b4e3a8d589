package container

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
)

const (
	// reportEvery is how often usage is reported.
	reportEvery = 10 * time.Minute
	// mostFailures is after how many failed reports in a row nothing is served any more.
	mostFailures = 10
	// retryStopped is how often a report is tried while nothing is served.
	retryStopped = time.Minute
	// reportTimeout bounds one report.
	reportTimeout = 20 * time.Second
	// usagePath is where usage is reported to, at the billing endpoint.
	usagePath = "/containers/v1.0/usage"
)

// Standing is what the container knows of its key.
type Standing string

// The standings, as /status shows them.
const (
	Valid           Standing = "Valid"
	Invalid         Standing = "Invalid"         // the key is none
	Mismatch        Standing = "Mismatch"        // it is of an account of another kind, or at another endpoint
	CouldNotConnect Standing = "CouldNotConnect" // nothing answers
	OutOfQuota      Standing = "OutOfQuota"
	Busy            Standing = "BillingEndpointBusy"
	Unknown         Standing = "Unknown"
)

// explained is what /status says of a standing.
func (s Standing) explained() string {
	switch s {
	case Valid:
		return "Api Key is valid, no action needed."
	case Invalid:
		return "The provided Api Key is invalid. Please check the key and the billing endpoint."
	case Mismatch:
		return "The provided Api Key is of another kind of account than this container needs, or the billing endpoint is not the account's."
	case CouldNotConnect:
		return "The container couldn't connect to the billing endpoint."
	case OutOfQuota:
		return "The account has no quota left for this month."
	case Busy:
		return "The billing endpoint is busy."
	}
	return "The Api Key's standing is not known."
}

// usage is a report on the wire.
type usage struct {
	Body usageBody `json:"usageRequestBody"`
}

type usageBody struct {
	ID               string     `json:"id"`
	APIType          string     `json:"apiType"`
	ContainerType    string     `json:"containerType"`
	ContainerVersion string     `json:"containerVersion"`
	ContainerID      string     `json:"containerId"`
	Sequence         int64      `json:"sequence"` // of this report among the container's: a repeated one counts once
	Meter            usageMeter `json:"meter"`
}

type usageMeter struct {
	Name     string  `json:"name"`
	Quantity float64 `json:"quantity"`
}

// meter counts what was done and reports it. Safe for concurrent use.
type meter struct {
	api     *api.API
	key     Secret
	url     string
	version string
	id      string // of this container
	clock   clock.Clock
	client  *http.Client
	log     *slog.Logger

	pending atomic.Int64 // not yet in a report
	stopped atomic.Bool

	reporting sync.Mutex // one report at a time
	sequence  int64
	quantity  int64 // of the report with that sequence

	mu       sync.Mutex
	standing Standing
	retry    time.Duration // what the endpoint asked for
	failures int
	next     time.Time
}

// add counts n transactions.
func (m *meter) add(n int64) {
	if n > 0 {
		m.pending.Add(n)
	}
}

// run reports whenever it is time, until ctx ends, then once more.
func (m *meter) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
			defer cancel()
			for m.left() && m.report(last) == nil { // a report that failed before goes first, by itself
			}
			return
		case <-tick.C:
			m.step(ctx)
		}
	}
}

// left tells whether there is something that was not reported.
func (m *meter) left() bool {
	m.reporting.Lock()
	defer m.reporting.Unlock()
	return m.quantity > 0 || m.pending.Load() > 0
}

// step reports if it is time.
func (m *meter) step(ctx context.Context) {
	m.mu.Lock()
	due := !m.clock.Now().Before(m.next)
	m.mu.Unlock()
	if due {
		_ = m.report(ctx)
	}
}

// report sends what was done since the last report that got through. The error is for the log; it never holds the key.
func (m *meter) report(ctx context.Context) error {
	m.reporting.Lock()
	defer m.reporting.Unlock()
	if m.sequence == 0 || m.quantity == 0 {
		// The report before got through, or said nothing that could be counted twice.
		m.sequence++
		m.quantity = m.pending.Swap(0)
	}
	standing, retry, err := m.send(ctx)
	if err == nil {
		m.quantity = 0
	}
	m.settle(standing, retry, err)
	return err
}

// settle takes over a report's outcome.
func (m *meter) settle(standing Standing, retry time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.Now()
	was := m.stopped.Load()
	m.standing, m.retry = standing, retry
	if err == nil {
		m.failures, m.next = 0, now.Add(reportEvery)
		m.stopped.Store(false)
		if was {
			m.log.Info("usage was reported: requests are served again")
		}
		return
	}
	m.failures++
	stop := m.failures >= mostFailures
	m.next = now.Add(reportEvery)
	if stop {
		m.next = now.Add(retryStopped)
	}
	m.stopped.Store(stop)
	m.log.Warn("usage was not reported", "standing", string(standing), "failures", m.failures, "error", err)
	if stop && !was {
		m.log.Error("requests are not served until usage can be reported", "failures", m.failures)
	}
}

// state gives what /status shows.
func (m *meter) state() (Standing, time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.standing == "" {
		return Unknown, 0
	}
	return m.standing, m.retry
}

// wait is how long a client shall wait while nothing is served.
func (m *meter) wait() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(m.next.Sub(m.clock.Now()), time.Second)
}

// send sends one report and tells what became of it.
func (m *meter) send(ctx context.Context) (Standing, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	body, err := json.Marshal(usage{usageBody{
		APIType: m.api.Type, ContainerType: m.api.Name, ContainerVersion: m.version, ContainerID: m.id, Sequence: m.sequence,
		Meter: usageMeter{m.api.Meter, float64(m.quantity)},
	}})
	if err != nil {
		return Unknown, 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url, bytes.NewReader(body))
	if err != nil {
		return Unknown, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Ocp-Apim-Subscription-Key", string(m.key))
	resp, err := m.client.Do(req)
	if err != nil {
		return CouldNotConnect, 0, fmt.Errorf("reach the billing endpoint: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return CouldNotConnect, 0, fmt.Errorf("read the billing endpoint's answer: %w", err)
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	return judge(resp.StatusCode, answer, time.Duration(max(seconds, 0))*time.Second)
}

// judge tells a standing by what the billing endpoint answered.
func judge(status int, answer []byte, retry time.Duration) (Standing, time.Duration, error) {
	var said struct {
		Error struct{ Code, Message string } `json:"error"`
	}
	_ = json.Unmarshal(answer, &said) // an answer of another form says nothing more
	err := fmt.Errorf("the billing endpoint answered %d %s", status, clip(said.Error.Message))
	switch {
	case status >= 200 && status < 300:
		return Valid, 0, nil
	case status == http.StatusUnauthorized:
		return Invalid, 0, err
	case status == http.StatusForbidden && said.Error.Code == string(OutOfQuota):
		return OutOfQuota, retry, err
	case status == http.StatusForbidden:
		return Mismatch, 0, err
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return Busy, retry, err
	}
	return Unknown, retry, err
}

func clip(s string) string {
	if len(s) > 300 {
		return s[:300] + "..."
	}
	return s
}

// errRefused is of a key that the billing endpoint does not take.
var errRefused = errors.New("the key was refused")

// first validates the key before anything is served: a key that is refused ends the container, an endpoint that can't be reached is a failed report.
func (m *meter) first(ctx context.Context) error {
	err := m.report(ctx)
	if err == nil {
		return nil
	}
	if s, _ := m.state(); s == Invalid || s == Mismatch {
		return fmt.Errorf("%w: %s (%w)", errRefused, s.explained(), err)
	}
	return nil
}
