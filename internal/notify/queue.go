package notify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// The schedule of deliveries.
const (
	attempts     = 3
	secondAfter  = 10 * time.Second
	thirdAfter   = 30 * time.Second
	endpointRest = 15 * time.Minute
	giveUp       = 24 * time.Hour

	every    = 500 * time.Millisecond // how often what is due is looked for
	atOnce   = 8                      // endpoints that are called at the same time
	perShard = 5000                   // deliveries of a shard that are looked at in a round
)

// Rows of a shard: "nd|" + LSN + number: a Delivery; "ne|" + hash of an endpoint: until when it is left alone.
const (
	tagDelivery = "nd|"
	tagEndpoint = "ne|"
)

var (
	deliveryCodec = store.Codec[Delivery]{Kind: 'd', Version: 1}
	restCodec     = store.Codec[time.Time]{Kind: 'e', Version: 1}
)

// Delivery is a message on its way to one receiver.
type Delivery struct {
	ID       string          `json:"id"`       // stable
	Endpoint string          `json:"endpoint"` // tells receivers apart that fail together; no secret
	Order    string          `json:"order"`    // those of one order reach an endpoint one after the other
	Created  time.Time       `json:"created"`
	Payload  json.RawMessage `json:"payload"` // secrets in sealed form only

	Attempt int       `json:"attempt"`
	Due     time.Time `json:"due"`
}

// Put queues deliveries in a transaction, in their order.
func Put(tx store.Tx, list []Delivery) error {
	for i, d := range list {
		value, err := deliveryCodec.Encode(d)
		if err != nil {
			return err
		}
		key := binary.BigEndian.AppendUint64([]byte(tagDelivery), uint64(tx.LSN()))
		if err := tx.Put(binary.BigEndian.AppendUint32(key, uint32(i)), value); err != nil { //nolint:gosec // few
			return err
		}
	}
	return nil
}

// Handler is what a Queue's owner does with deliveries.
type Handler struct {
	// Deliver makes an attempt. An error that Again says no to ends the delivery.
	Deliver func(ctx context.Context, shard string, d Delivery) error
	// Settle is told in the transaction that removes a delivery what became of it; failure is "" if it was made. Pure, as all functions of transactions.
	Settle func(tx store.Tx, d Delivery, failure string, at time.Time) error
}

// Queue delivers what Put wrote into the shards of a prefix.
type Queue struct {
	st     store.Store
	clock  clock.Clock
	log    *slog.Logger
	prefix string
	h      Handler
	wake   chan struct{}

	mu   sync.Mutex
	busy map[string]bool // endpoints
	room chan struct{}
}

// NewQueue makes a Queue of the shards whose names begin with prefix.
func NewQueue(st store.Store, c clock.Clock, log *slog.Logger, prefix string, h Handler) *Queue {
	return &Queue{st: st, clock: c, log: log, prefix: prefix, h: h, wake: make(chan struct{}, 1), busy: map[string]bool{}, room: make(chan struct{}, atOnce)}
}

// Wake makes Run look now.
func (q *Queue) Wake() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Run delivers until ctx ends.
func (q *Queue) Run(ctx context.Context) error {
	var under sync.WaitGroup
	defer under.Wait()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := q.round(ctx, &under); err != nil && ctx.Err() == nil {
			q.log.Warn("deliveries can't be read", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-q.wake:
		case <-tick.C:
		}
	}
}

// Round makes every attempt that is due, and returns when all have ended.
func (q *Queue) Round(ctx context.Context) error {
	var under sync.WaitGroup
	err := q.round(ctx, &under)
	under.Wait()
	return err
}

// waiting is a stored delivery.
type waiting struct {
	key []byte
	Delivery
}

func (q *Queue) round(ctx context.Context, under *sync.WaitGroup) error {
	return store.EachShard(ctx, q.st, q.prefix, func(shard string) error { return q.shard(ctx, shard, under) })
}

// shard starts the attempts that are due, those of one endpoint one after the other.
func (q *Queue) shard(ctx context.Context, shard string, under *sync.WaitGroup) error {
	list, resting, err := q.read(ctx, shard)
	if err != nil || len(list) == 0 {
		return err
	}
	now := q.clock.Now()
	byEndpoint := map[string][]waiting{}
	var order []string
	held := map[string]bool{} // an earlier one of the same order is not due yet
	for _, w := range list {
		at := w.Endpoint + "|" + w.Order
		if held[at] || w.Due.After(now) || resting[restKey(w.Endpoint)].After(now) {
			held[at] = true
			continue
		}
		if byEndpoint[w.Endpoint] == nil {
			order = append(order, w.Endpoint)
		}
		byEndpoint[w.Endpoint] = append(byEndpoint[w.Endpoint], w)
	}
	for _, endpoint := range order {
		name := shard + "|" + endpoint
		if !q.take(name) {
			continue
		}
		under.Go(func() {
			defer q.leave(name)
			select {
			case q.room <- struct{}{}:
			case <-ctx.Done():
				return
			}
			defer func() { <-q.room }()
			q.serve(ctx, shard, byEndpoint[endpoint])
		})
	}
	return nil
}

// serve makes the attempts of one endpoint, until one fails in a way that a later attempt may cure.
func (q *Queue) serve(ctx context.Context, shard string, list []waiting) {
	for _, w := range list {
		if ok, err := q.still(ctx, shard, w); err != nil {
			return
		} else if !ok {
			continue
		}
		err := q.deliver(ctx, shard, w.Delivery)
		if err != nil && ctx.Err() != nil {
			return
		}
		again, stored := q.settle(context.WithoutCancel(ctx), shard, w, err)
		if stored != nil {
			q.log.Error("what became of a delivery can't be stored: it is made again", "delivery", w.ID, "error", stored)
			return
		}
		if again {
			return
		}
	}
}

// still tells whether a delivery that was read before the endpoint was taken is as it was: another round may have made it meanwhile.
func (q *Queue) still(ctx context.Context, shard string, w waiting) (ok bool, err error) {
	var now []byte
	err = q.st.View(ctx, shard, func(s store.Snapshot) (err error) {
		now, err = s.Get(w.key)
		return err
	})
	if err != nil || now == nil {
		return false, err
	}
	d, err := deliveryCodec.Decode(now)
	return err == nil && d.Attempt == w.Attempt, err
}

func (q *Queue) deliver(ctx context.Context, shard string, d Delivery) (err error) {
	defer func() {
		if p := recover(); p != nil {
			q.log.Error("delivery panicked", "delivery", d.ID, "stack", string(debug.Stack()))
			err = Permanent(errors.New("the delivery failed inside the platform"))
		}
	}()
	return q.h.Deliver(ctx, shard, d)
}

// settle stores what became of an attempt; again: it is to be made once more.
func (q *Queue) settle(ctx context.Context, shard string, w waiting, failure error) (again bool, err error) {
	now := q.clock.Now()
	d := w.Delivery
	d.Attempt++
	again = failure != nil && Again(failure) && now.Sub(d.Created) < giveUp
	text := ""
	if failure != nil {
		text = fmt.Sprintf("%.500s", failure)
		q.log.Warn("delivery failed", "delivery", d.ID, "attempt", d.Attempt, "again", again, "error", text)
	}
	rest := false
	switch {
	case !again:
	case d.Attempt%attempts == 1:
		d.Due = now.Add(secondAfter)
	case d.Attempt%attempts == 2:
		d.Due = now.Add(thirdAfter)
	default:
		d.Due, rest = now.Add(endpointRest), true
	}
	value, err := deliveryCodec.Encode(d)
	if err != nil {
		return again, err
	}
	until, err := restCodec.Encode(d.Due)
	if err != nil {
		return again, err
	}
	_, err = q.st.Update(ctx, shard, func(tx store.Tx) error {
		if have, err := tx.Get(w.key); err != nil || have == nil {
			return err // its owner took it away meanwhile
		}
		if rest {
			if err := tx.Put([]byte(tagEndpoint+restKey(d.Endpoint)), until); err != nil {
				return err
			}
		}
		if again {
			return tx.Put(w.key, value)
		}
		if err := tx.Delete(w.key); err != nil {
			return err
		}
		return q.h.Settle(tx, d, text, now)
	})
	return again, err
}

func (q *Queue) read(ctx context.Context, shard string) (list []waiting, resting map[string]time.Time, err error) {
	var rows, rests [][2][]byte
	err = q.st.View(ctx, shard, func(s store.Snapshot) error {
		rows, rests = nil, nil
		err := s.Scan(store.Prefix([]byte(tagDelivery)), func(k, v []byte) bool {
			rows = append(rows, [2][]byte{bytes.Clone(k), bytes.Clone(v)})
			return len(rows) < perShard
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		return s.Scan(store.Prefix([]byte(tagEndpoint)), func(k, v []byte) bool {
			rests = append(rests, [2][]byte{bytes.Clone(k), bytes.Clone(v)})
			return true
		})
	})
	if err != nil {
		return nil, nil, err
	}
	for _, r := range rows {
		d, err := deliveryCodec.Decode(r[1])
		if err != nil {
			return nil, nil, err
		}
		list = append(list, waiting{r[0], d})
	}
	resting = make(map[string]time.Time, len(rests))
	for _, r := range rests {
		if resting[string(r[0][len(tagEndpoint):])], err = restCodec.Decode(r[1]); err != nil {
			return nil, nil, err
		}
	}
	return list, resting, nil
}

func restKey(endpoint string) string {
	sum := sha256.Sum256([]byte(endpoint))
	return hex.EncodeToString(sum[:16])
}

func (q *Queue) take(endpoint string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.busy[endpoint] {
		return false
	}
	q.busy[endpoint] = true
	return true
}

func (q *Queue) leave(endpoint string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.busy, endpoint)
}
