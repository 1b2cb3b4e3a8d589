package gateway

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
)

// Throttling says how provisioned throughput is enforced.
type Throttling uint8

// The ways. The zero value leaves it to the platform's default.
const (
	ThrottleDefault Throttling = iota
	// ThrottleBurst keeps unused throughput for later: five minutes of it, as the service's burst capacity does, and never less than a million
	// request units. A range that was idle, or is new, has all of it.
	ThrottleBurst
	// ThrottleStrict keeps one second of it.
	ThrottleStrict
	// ThrottleOff enforces nothing.
	ThrottleOff
)

// ThrottlingTag is the tag of an account that chooses for it.
const ThrottlingTag = "bulkhead-throttling"

// ParseThrottling reads burst, strict or off; "" is the default.
func ParseThrottling(text string) (Throttling, bool) {
	for i, name := range [...]string{"", "burst", "strict", "off"} {
		if strings.EqualFold(text, name) {
			return Throttling(i), true
		}
	}
	return ThrottleDefault, false
}

// Bounds of enforcement.
const (
	burstSeconds   = 300
	burstUnits     = 1_000_000 // at least, under ThrottleBurst
	serverlessRate = 5000      // request units a second, of each range of an account without provisioned throughput
	maxBuckets     = 1 << 16
)

// bucketKey names what has throughput of its own: a partition key range, or a database that its containers share (by account and number).
type bucketKey struct {
	owner    string
	database uint32
}

// bucket is what was taken of a throughput. It is charged after the work, when the charge is known, so it may go into debt, and admits again once
// that is paid off. Its only state is the moment at which all that was taken will have been earned; safe for concurrent use.
type bucket struct{ paid atomic.Int64 } // nanoseconds of the monotonic clock

// wait tells how long to wait before more may be taken; 0 or less: now. spare is the time's worth of throughput that is kept.
func (b *bucket) wait(now, spare int64) int64 { return b.paid.Load() - now - spare }

// take charges for work that was done.
func (b *bucket) take(now, cost int64) {
	for {
		was := b.paid.Load()
		if b.paid.CompareAndSwap(was, max(was, now)+cost) {
			return
		}
	}
}

// throttle has the buckets of all accounts.
type throttle struct {
	mode  Throttling
	since func() time.Duration // a monotonic clock

	mu      sync.RWMutex
	buckets map[bucketKey]*bucket
}

func newThrottle(mode Throttling, since func() time.Duration) *throttle {
	if mode == ThrottleDefault {
		mode = ThrottleBurst
	}
	if since == nil {
		begin := time.Now()
		since = func() time.Duration { return time.Since(begin) }
	}
	return &throttle{mode: mode, since: since, buckets: map[bucketKey]*bucket{}}
}

func (t *throttle) bucket(key bucketKey) *bucket {
	t.mu.RLock()
	b := t.buckets[key]
	t.mu.RUnlock()
	if b != nil {
		return b
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if b = t.buckets[key]; b == nil {
		if len(t.buckets) >= maxBuckets {
			clear(t.buckets) // who was throttled starts anew
		}
		b = &bucket{}
		// All that is kept is there from the start: as if the last charge had been paid for long ago.
		t.buckets[key] = b
	}
	return b
}

// quota is the throughput of one range.
type quota struct {
	key  bucketKey
	rate float64 // request units a second
}

// quotaOf finds the throughput behind a range. rate 0: there is no limit.
func (c *call) quotaOf(con *catalog.Container, guid string) quota {
	t := con.Derived.Throughput
	rate := float64(max(t.Manual, t.Max))
	switch {
	case c.account.Serverless:
		return quota{bucketKey{owner: guid}, serverlessRate}
	case con.Derived.SharedThroughput:
		return quota{bucketKey{owner: c.account.GUID, database: con.Database}, rate}
	}
	return quota{bucketKey{owner: guid}, rate / float64(max(len(con.Ranges), 1))}
}

// meter is what a request is charged to.
type meter struct {
	bucket *bucket
	rate   float64
}

// admit refuses a request about an EPK whose range's throughput is used up; else its charge will go to that range.
func (g *Gateway) admit(c *call, con *catalog.Container, epk string) error {
	m, f := g.throttle.meter(c, con, con.RangeOf(epk).GUID)
	if f != nil {
		return f
	}
	c.meter, c.meters = m, nil
	return nil
}

// admitAll is admit for a request about several ranges, which share its charge.
func (g *Gateway) admitAll(c *call, con *catalog.Container, ranges []items.Range) error {
	c.meter, c.meters = meter{}, nil
	for i := range ranges {
		m, f := g.throttle.meter(c, con, ranges[i].GUID)
		switch {
		case f != nil:
			c.meter, c.meters = meter{}, nil
			return f
		case i == 0:
			c.meter = m
		default:
			c.meters = append(c.meters, m)
		}
	}
	return nil
}

func (t *throttle) meter(c *call, con *catalog.Container, guid string) (meter, *fault.Error) {
	mode := c.account.Throttling
	if mode == ThrottleDefault {
		mode = t.mode
	}
	if mode == ThrottleOff {
		return meter{}, nil
	}
	q := c.quotaOf(con, guid)
	if q.rate <= 0 {
		return meter{}, nil
	}
	spare := int64(time.Second)
	if mode == ThrottleBurst {
		spare = int64(max(burstSeconds, burstUnits/q.rate) * float64(time.Second))
	}
	b := t.bucket(q.key)
	if wait := b.wait(int64(t.since()), spare); wait > 0 {
		return meter{}, tooManyRequests(time.Duration(wait))
	}
	return meter{b, q.rate}, nil
}

// settleAll charges for a request that has ended.
func (t *throttle) settleAll(c *call) {
	share := c.charge / float64(1+len(c.meters))
	t.settle(c.meter, share)
	for _, m := range c.meters {
		t.settle(m, share)
	}
}

// settle charges to one.
func (t *throttle) settle(m meter, charge float64) {
	if m.bucket != nil && charge > 0 {
		m.bucket.take(int64(t.since()), int64(charge/m.rate*float64(time.Second)))
	}
}

// tooManyRequests is the answer that SDKs wait on and repeat.
func tooManyRequests(wait time.Duration) *fault.Error {
	return &fault.Error{
		Kind: fault.TooMany, Code: "429", Substatus: subRequestRate, RetryAfter: max(wait.Round(time.Millisecond), time.Millisecond),
		Message: `Message: {"Errors":["Request rate is large. More Request Units may be needed, so no changes were made. Please retry this request later. Learn more: http://aka.ms/cosmosdb-error-429"]}`,
	}
}
