package gateway

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
)

// bulkLanes is how many logical partitions one bulk request works on at a time: their commits share a disk write.
const bulkLanes = 16

// bulk is a batch that is not atomic: each operation for itself, routed by its own partition key.
type bulk struct {
	g       *Gateway
	c       *call // only read
	ops     []batchOperation
	results []batchResult

	mu      sync.Mutex
	answer  int                    // bytes of the documents that were read
	touched map[string]items.State // ranges, by id
}

// bulk does each operation for itself. One that fails does not keep the others back, unless the client says so: then those after it are not done.
func (g *Gateway) bulk(ctx context.Context, c *call, con *catalog.Container, ops []batchOperation) (any, error) {
	b := &bulk{g: g, c: c, ops: ops, results: make([]batchResult, len(ops)), touched: map[string]items.State{}}
	stops := c.header("X-Ms-Cosmos-Batch-Continue-On-Error") != "" && !c.isTrue("X-Ms-Cosmos-Batch-Continue-On-Error")
	var err error
	if stops || c.isTrue("X-Ms-Cosmos-Batch-Ordered") {
		err = b.inOrder(ctx, stops)
	} else {
		err = b.sideBySide(ctx, con)
	}
	if err != nil {
		return nil, err
	}
	con, err = g.container(ctx, c) // its ranges may have been split meanwhile
	if err != nil {
		return nil, err
	}
	total := 0.0
	for _, r := range b.results {
		total += r.Charge
	}
	c.setCharge(total)
	c.meter, c.meters = meter{}, nil // each operation was charged for
	states := make([]items.State, 0, len(b.touched))
	for _, r := range con.Ranges {
		if s, ok := b.touched[r.ID]; ok {
			states = append(states, s)
		}
	}
	c.setRanges(con, states)
	return c.answerBatch(b.results), nil
}

// inOrder does the operations in their order, all, or until one fails.
func (b *bulk) inOrder(ctx context.Context, stops bool) error {
	failed := false
	for i := range b.ops {
		if failed {
			b.results[i] = batchResult{Status: http.StatusFailedDependency}
			continue
		}
		if err := b.do(ctx, i); err != nil {
			return err
		}
		failed = stops && b.results[i].Status >= http.StatusBadRequest
	}
	return nil
}

// sideBySide does the operations of a logical partition in their order, and logical partitions at the same time. The first error ends it.
func (b *bulk) sideBySide(ctx context.Context, con *catalog.Container) error {
	lanes := b.lanes(con)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	queue := make(chan []int, len(lanes))
	for _, lane := range lanes {
		queue <- lane
	}
	close(queue)
	var wg sync.WaitGroup
	for range min(bulkLanes, len(lanes)) {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil { // the mux catches only its own goroutine's
					stop(fmt.Errorf("bulk operation: %v\n%s", p, debug.Stack()))
				}
			}()
			for lane := range queue {
				b.doLane(ctx, lane, stop)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

func (b *bulk) doLane(ctx context.Context, lane []int, stop context.CancelCauseFunc) {
	for _, i := range lane {
		if ctx.Err() != nil {
			return
		}
		if err := b.do(ctx, i); err != nil {
			stop(err)
		}
	}
}

// lanes are the operations' places, by logical partition.
func (b *bulk) lanes(con *catalog.Container) (lanes [][]int) {
	byEPK := map[string]int{}
	for i := range b.ops {
		epk := ""
		if key, err := b.ops[i].key(con); err == nil {
			epk = key.EPK(*con.PartitionKey)
		}
		n, ok := byEPK[epk]
		if !ok {
			n = len(lanes)
			byEPK[epk], lanes = n, append(lanes, nil)
		}
		lanes[n] = append(lanes[n], i)
	}
	return lanes
}

// do does the operation i and notes its result. An error is one that no result can carry.
func (b *bulk) do(ctx context.Context, i int) error {
	err := b.g.steadily(ctx, b.c, func() error {
		_, con, err := b.g.Catalog.Container(ctx, b.c.account.GUID, b.c.Param("db"), b.c.Param("coll"))
		if err == nil {
			b.results[i], err = b.operate(ctx, con, &b.ops[i])
		}
		return err
	})
	if err != nil && !isCallers(err) {
		return documentError(err)
	}
	if err != nil {
		b.results[i] = failedResult(err)
	}
	return nil
}

// key is the operation's own partition key.
func (op *batchOperation) key(con *catalog.Container) (pkey.Key, error) {
	key, err := pkey.ParseHeader(op.PartitionKey)
	switch {
	case err != nil:
		return nil, err
	case len(key) == 0 && len(con.PartitionKey.Paths) == 1:
		return pkey.Key{pkey.Value{}}, nil
	case len(key) != len(con.PartitionKey.Paths):
		return nil, keyMismatch()
	}
	return key, nil
}

// operate does one operation, if its range has throughput left.
func (b *bulk) operate(ctx context.Context, con *catalog.Container, op *batchOperation) (batchResult, error) {
	key, err := op.key(con)
	if err != nil {
		return batchResult{}, err
	}
	m, refused := b.g.throttle.meter(b.c, con, con.RangeOf(key.EPK(*con.PartitionKey)).GUID)
	if refused != nil {
		return batchResult{}, refused
	}
	r, err := b.write(ctx, con, op, key)
	if err != nil {
		r.Charge = chargeMiss
	}
	b.g.throttle.settle(m, r.Charge)
	return r, err
}

func (b *bulk) write(ctx context.Context, con *catalog.Container, op *batchOperation, key pkey.Key) (batchResult, error) {
	turn := b.g.patching.turn(key.EPK(*con.PartitionKey) + op.ID)
	defer turn.end()
	for attempt := range patchRetries {
		if err := turn.take(ctx, attempt); err != nil {
			return batchResult{}, err
		}
		w := batchBuilder{g: b.g, con: con, key: key, seen: map[string]*items.Document{}}
		if err := w.add(ctx, op); err != nil {
			return batchResult{}, err
		}
		outs, s, err := b.g.Items.Apply(ctx, con.At(w.writes[0].EPK), b.c.now, w.writes)
		if op.isPatch() && op.IfMatch == "" && fault.Is(err, fault.Precondition) {
			continue
		}
		if err != nil {
			return batchResult{}, documentError(err)
		}
		b.touch(s)
		r := b.c.result(op, w.writes[0].Op, outs[0])
		if w.writes[0].Op == items.Read && !b.room(len(r.Body)) {
			return batchResult{}, withSub(fault.New(fault.TooLarge, "RequestEntityTooLarge", "Response size is too large: the answer of a bulk request has at most %d bytes of documents.", maxBulkAnswer), subAnswer)
		}
		return r, nil
	}
	return batchResult{}, retryWith()
}

// maxBulkAnswer is how many bytes of documents an answer has; what is beyond is to be asked for again.
const maxBulkAnswer = 4 << 20

// room takes room in the answer, if there is as much.
func (b *bulk) room(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.answer > 0 && b.answer+n > maxBulkAnswer {
		return false
	}
	b.answer += n
	return true
}

// touch notes the latest state of a range.
func (b *bulk) touch(s items.State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if was, ok := b.touched[s.Range.ID]; !ok || was.LSN < s.LSN {
		b.touched[s.Range.ID] = s
	}
}
