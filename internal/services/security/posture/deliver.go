package posture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/notify"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// The sources of events, as automations name them.
const (
	SourceAlerts      = "Alerts"
	SourceAssessments = "Assessments"
)

// Event is something that automations may want to be told of.
type Event struct {
	ID           string          `json:"id"` // stable: receivers know by it what they have seen already
	Source       string          `json:"source"`
	Subscription string          `json:"subscription"`
	Resource     string          `json:"resource"` // ARM id, for the scopes of automations
	Time         time.Time       `json:"time"`
	Body         json.RawMessage `json:"body"` // what is posted: a resource as the control plane shows it
}

const (
	kindEvent    = "security.event"
	kindDelivery = "security.delivery"

	giveUp       = 24 * time.Hour // how long delivery is tried
	deliverEvery = 2 * time.Second
	atOnce       = 8 // webhooks that are called at the same time
)

func deliveryShard(guid string) string { return "automation/" + guid }

// Notify queues an event in the transaction that makes it, whatever its shard; the outbox's drain of that shard, which its writer starts, finds who wants it. It costs
// one row: no webhook is called and no automation read in the transaction or in the drain of the shard.
func Notify(tx store.Tx, e Event) error {
	payload, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return outbox.PutOrdered(tx, kindEvent, e.ID, payload)
}

// delivery is an event on its way to one action of one automation.
type delivery struct {
	Automation string `json:"automation"` // ARM id
	GUID       string `json:"guid"`
	Action     int    `json:"action"`
	Event      Event  `json:"event"`
}

// spread queues an event for every automation that wants it, in that one's shard.
func (s *Service) spread(ctx context.Context, _ string, payload []byte) error {
	var e Event
	if err := json.Unmarshal(payload, &e); err != nil {
		return err
	}
	all, err := s.hearers(ctx, e.Subscription)
	if err != nil {
		return err
	}
	told := false
	for _, l := range all {
		if !l.a.wants(&e) {
			continue
		}
		r, a := l.r, l.a
		rows := make([][]byte, len(a.Actions))
		for i := range a.Actions {
			if rows[i], err = json.Marshal(delivery{r.ID, r.GUID, i, e}); err != nil {
				return err
			}
		}
		_, err = s.deps.Store.Update(ctx, deliveryShard(r.GUID), func(tx store.Tx) error {
			for i, row := range rows {
				if err := outbox.PutOrdered(tx, kindDelivery, fmt.Sprint(e.ID, "|", i), row); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		told = true
	}
	if told {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// deliver posts one event. Whoever answers 2xx has it; of another answer it is tried again, until it is a day old.
func (s *Service) deliver(ctx context.Context, _ string, payload []byte) error {
	var d delivery
	if err := json.Unmarshal(payload, &d); err != nil {
		return err
	}
	uri, err := s.address(ctx, &d)
	if err != nil || uri == "" {
		return err
	}
	err = s.post(ctx, uri, &d.Event)
	if err != nil && s.deps.Clock.Now().Sub(d.Event.Time) > giveUp {
		s.deps.Log.Error("automation not told: given up", "automation", d.Automation, "event", d.Event.ID, "error", err)
		return nil
	}
	return err
}

// address opens where a delivery goes; "" if the automation is gone, turned off, or has no such action any more.
func (s *Service) address(ctx context.Context, d *delivery) (string, error) {
	r, err := s.automation(ctx, d.Automation, d.GUID)
	if err != nil {
		return "", err
	}
	a := active(r)
	if a == nil || d.Action >= len(a.Actions) {
		return "", nil
	}
	var p sealed
	if err := json.Unmarshal(r.Private, &p); err != nil || d.Action >= len(p.URIs) {
		return "", errors.Join(err, errors.New("the automation "+r.ID+" has no address"))
	}
	b, err := s.deps.Sealer.Open(subShard(d.Event.Subscription), uriKey(r.GUID, d.Action), p.URIs[d.Action])
	return string(b), err
}

// automation finds the automation that had the id when an event was queued; nil if it is gone, also if another has its name.
func (s *Service) automation(ctx context.Context, id, guid string) (*arm.Resource, error) {
	r, _, err := s.deps.Resources.Resource(ctx, id)
	if err != nil || r == nil || r.GUID != guid {
		return nil, err
	}
	return r, nil
}

// post sends an event. Its errors never show the address, which may hold a signature.
func (s *Service) post(ctx context.Context, uri string, e *Event) error {
	return s.webhooks.Post(ctx, notify.Message{
		URL: uri, ID: e.ID, Agent: "bulkhead-security", Header: http.Header{"X-Bulkhead-Source": {e.Source}}, Body: e.Body,
	})
}

// run delivers, and judges every subscription from time to time, until ctx ends.
func (s *Service) run(ctx context.Context) error {
	var busy sync.WaitGroup
	defer busy.Wait()
	if s.deps.Usage != nil {
		if err := s.deps.Usage.Begin(ctx); err != nil && ctx.Err() == nil {
			s.deps.Log.Warn("use of identities is not recorded yet", "error", err)
		}
	}
	busy.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			s.watch(ctx)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	p := &postman{s: s, under: map[string]bool{}, room: make(chan struct{}, atOnce)}
	tick := time.NewTicker(deliverEvery)
	defer tick.Stop()
	for {
		p.round(ctx, &busy)
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-tick.C:
		}
	}
}

// postman has the deliveries of each automation under way, one after the other, those of different ones side by side.
type postman struct {
	s    *Service
	room chan struct{}

	mu    sync.Mutex
	under map[string]bool // shards
}

// round starts the delivery of what waits.
func (p *postman) round(ctx context.Context, busy *sync.WaitGroup) {
	_ = store.EachShard(ctx, p.s.deps.Store, deliveryShard(""), func(shard string) error { // what can't be listed now waits for the next round
		if waits, err := p.s.deliveries.Pending(ctx, shard); err != nil || !waits || !p.take(shard) {
			return nil
		}
		busy.Go(func() {
			defer p.leave(shard)
			select {
			case p.room <- struct{}{}:
			case <-ctx.Done():
				return
			}
			defer func() { <-p.room }()
			_ = p.s.deliveries.Drain(ctx, shard) // which logs what fails
		})
		return nil
	})
}

func (p *postman) take(shard string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.under[shard] {
		return false
	}
	p.under[shard] = true
	return true
}

func (p *postman) leave(shard string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.under, shard)
}
