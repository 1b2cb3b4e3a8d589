package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/hybridrow"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
)

const maxBatch = 100

// batchOperation is one entry of a batch's body.
type batchOperation struct {
	Type         string          `json:"operationType"`
	ID           string          `json:"id"`
	IfMatch      string          `json:"ifMatch"`
	IfNoneMatch  string          `json:"ifNoneMatch"`
	Body         json.RawMessage `json:"resourceBody"`
	PartitionKey string          `json:"partitionKey"` // of bulk operations
	Directive    string          `json:"indexingDirective"`
	Minimal      bool            `json:"minimalReturnPreference"` // the client does without the body of what it wrote
}

// batchResult is one entry of its answer.
type batchResult struct {
	Status    int             `json:"statusCode"`
	Substatus int             `json:"subStatusCode,omitempty"`
	Charge    float64         `json:"requestCharge"`
	Retry     int64           `json:"retryAfterMilliseconds,omitempty"`
	ETag      string          `json:"eTag,omitempty"`
	Body      json.RawMessage `json:"resourceBody,omitempty"`
	Message   string          `json:"message,omitempty"`
	Code      string          `json:"-"` // of Message
}

// batch does several operations: all or none in one logical partition, or, not atomic ("bulk"), each for itself.
func (g *Gateway) batch(ctx context.Context, c *call, con *catalog.Container) (any, error) {
	if c.hasTriggers() {
		return nil, invalid("Triggers cannot be used with batch requests.")
	}
	if _, err := c.directive(); err != nil {
		return nil, err
	}
	ops, err := c.batchOperations()
	if err != nil {
		return nil, err
	}
	switch {
	case len(ops) == 0:
		return nil, invalid("Batch request has no operations.")
	case len(ops) > maxBatch:
		return nil, invalid("Batch request has more operations than what is supported: %d; at most %d are allowed.", len(ops), maxBatch)
	}
	if len(c.Body) > items.MaxDocument {
		return nil, fault.New(fault.TooLarge, "RequestEntityTooLarge", "Request size is too large: a batch has at most %d bytes.", items.MaxDocument)
	}
	if err := c.checkBatch(ops); err != nil {
		return nil, err
	}
	for i := range ops {
		if ops[i].Directive == "" {
			ops[i].Directive = c.header("X-Ms-Indexing-Directive")
		}
	}
	if err := c.checkRange(con); err != nil {
		return nil, err
	}
	if c.isTrue("X-Ms-Cosmos-Batch-Atomic") {
		return g.atomicBatch(ctx, c, con, ops)
	}
	return g.bulk(ctx, c, con, ops)
}

// batchOperations reads the body, in either form.
func (c *call) batchOperations() (ops []batchOperation, err error) {
	if hybridrow.Is(c.Body) {
		return readRows(c.Body)
	}
	return ops, c.decode(&ops)
}

// write turns an entry into a write.
func (op *batchOperation) write(con *catalog.Container, key pkey.Key) (items.Write, error) {
	w := items.Write{ID: op.ID, IfMatch: op.IfMatch, IfNoneMatch: op.IfNoneMatch, EPK: key.EPK(*con.PartitionKey)}
	var err error
	if w.Directive, err = parseDirective(op.Directive); err != nil {
		return w, err
	}
	withBody := true
	switch strings.ToLower(op.Type) {
	case "create":
		w.Op = items.Create
	case "upsert":
		w.Op = items.Upsert
	case "replace":
		w.Op = items.Replace
	case "delete":
		w.Op, withBody = items.Delete, false
	case "read":
		w.Op, withBody = items.Read, false
		if w.IfNoneMatch == "" { // of a read the service takes either as what the client has already
			w.IfMatch, w.IfNoneMatch = "", w.IfMatch
		}
	case "patch":
		w.Op = items.Replace
		return w, items.CheckID(op.ID)
	default:
		return w, invalid("The operation type '%s' of a batch is unknown.", op.Type)
	}
	if !withBody {
		return w, items.CheckID(op.ID)
	}
	if w.Doc, err = items.Parse(op.Body); err != nil {
		return w, err
	}
	if w.ID == "" || w.Op == items.Upsert {
		w.ID = w.Doc.ID
	}
	return w, checkDocumentKey(w.Doc, con, key)
}

func (g *Gateway) atomicBatch(ctx context.Context, c *call, con *catalog.Container, ops []batchOperation) (any, error) {
	key, err := c.wholeKey(con)
	if err != nil {
		return nil, err
	}
	if err := sameKey(con, key, ops); err != nil {
		return nil, err
	}
	if err := g.admit(c, con, key.EPK(*con.PartitionKey)); err != nil {
		return nil, err
	}
	var writes []items.Write
	var outs []items.Outcome
	var state items.State
	turn := g.patching.turn(key.EPK(*con.PartitionKey) + firstPatched(ops))
	defer turn.end()
	for attempt := range patchRetries {
		if err := turn.take(ctx, attempt); err != nil {
			return nil, err
		}
		b := batchBuilder{g: g, con: con, key: key, seen: map[string]*items.Document{}}
		for i := range ops {
			if err := b.add(ctx, &ops[i]); err != nil {
				return c.failedBatch(con, len(ops), i, err)
			}
		}
		writes = b.writes
		outs, state, err = g.Items.Apply(ctx, con.At(key.EPK(*con.PartitionKey)), c.now, writes)
		var failed *items.FailedWrite
		switch {
		case !errors.As(err, &failed):
		case ops[failed.Index].isPatch() && ops[failed.Index].IfMatch == "" && fault.Is(err, fault.Precondition):
			continue // the document changed after the patch was computed
		case isCallers(failed.Err):
			return c.failedBatch(con, len(ops), failed.Index, failed.Err)
		}
		break
	}
	if err == nil && allReads(writes) { // what is written can't be taken back
		err = c.checkSession(state)
	}
	if err != nil {
		return nil, documentError(err)
	}
	results := make([]batchResult, len(ops))
	total := 0.0
	for i, out := range outs {
		results[i] = c.result(&ops[i], writes[i].Op, out)
		total += results[i].Charge
	}
	c.setCharge(total)
	c.setRange(con, state)
	return c.answerBatch(results), nil
}

func allReads(writes []items.Write) bool {
	for i := range writes {
		if writes[i].Op != items.Read {
			return false
		}
	}
	return true
}

// sameKey refuses operations that name another partition key than their batch.
func sameKey(con *catalog.Container, key pkey.Key, ops []batchOperation) error {
	for i := range ops {
		if ops[i].PartitionKey == "" {
			continue
		}
		if own, err := ops[i].key(con); err != nil || !own.Equal(key) {
			return invalid("One or more operations within the batch request have a different partition key value than the request.")
		}
	}
	return nil
}

// firstPatched is the id of a document that a batch patches, and so may have to try again for; "" if there is none.
func firstPatched(ops []batchOperation) string {
	for i := range ops {
		if ops[i].isPatch() {
			return ops[i].ID
		}
	}
	return ""
}

func (op *batchOperation) isPatch() bool { return strings.EqualFold(op.Type, "patch") }

// batchBuilder makes the writes of an atomic batch. A patch is computed beforehand, on the document as the store has it or as an earlier operation of
// the batch leaves it.
type batchBuilder struct {
	g      *Gateway
	con    *catalog.Container
	key    pkey.Key
	writes []items.Write
	seen   map[string]*items.Document // by id, what earlier operations made of it; nil: deleted
}

func (b *batchBuilder) add(ctx context.Context, op *batchOperation) error {
	w, err := op.write(b.con, b.key)
	if err != nil {
		return err
	}
	if op.isPatch() {
		if err := b.patch(ctx, op, &w); err != nil {
			return err
		}
	}
	switch w.Op {
	case items.Delete:
		b.seen[w.ID] = nil
	case items.Read:
	default:
		b.seen[w.ID] = nil
		b.seen[w.Doc.ID] = &w.Doc
	}
	b.writes = append(b.writes, w)
	return nil
}

// patch fills in what w writes, and that it writes it only over what was read.
func (b *batchBuilder) patch(ctx context.Context, op *batchOperation, w *items.Write) error {
	p, err := parsePatch(op.Body)
	if err != nil {
		return err
	}
	if err := p.check(b.con.PartitionKey.Paths); err != nil {
		return err
	}
	if doc, ok := b.seen[w.ID]; ok {
		if doc == nil {
			return items.ErrNotFound()
		}
		w.Doc, err = p.apply(doc.Text)
	} else {
		var old *items.Item
		old, _, err = b.g.Items.Get(ctx, b.con.At(w.EPK), w.EPK, w.ID, 0)
		switch {
		case err != nil:
			return err
		case old == nil:
			return items.ErrNotFound()
		case w.IfMatch != "" && !items.MatchETag(w.IfMatch, old.ETag):
			return precondition()
		}
		w.IfMatch = old.ETag
		w.Doc, err = p.apply(old.Text)
	}
	if err != nil {
		return err
	}
	return checkDocumentKey(w.Doc, b.con, b.key)
}

func (c *call) result(o *batchOperation, op items.Op, out items.Outcome) batchResult {
	if out.Unchanged {
		return batchResult{Status: http.StatusNotModified, Charge: chargeMiss, ETag: out.ETag}
	}
	r := batchResult{Status: writeStatus(op, out), Charge: roundCharge(chargeWrite(op, out)), ETag: out.ETag}
	if out.Text != nil && (op == items.Read || !o.Minimal && !minimal(c.header("Prefer"))) {
		r.Body = out.Text
	}
	return r
}

// isCallers tells whether the error is one that an operation's result can carry.
func isCallers(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && f.Kind.Status() < 500
}

// failedBatch answers an atomic batch that changed nothing: the operation at fault, and the others as depending on it.
func (c *call) failedBatch(con *catalog.Container, n, at int, err error) (any, error) {
	if !isCallers(err) {
		return nil, documentError(err)
	}
	results := make([]batchResult, n)
	for i := range results {
		results[i] = batchResult{Status: http.StatusFailedDependency, Charge: 0}
	}
	results[at] = failedResult(err)
	c.setCharge(chargeMiss)
	c.ShareHeader("X-Ms-Content-Path", con.Derived.ContentPath)
	return c.answerBatch(results), nil
}

func failedResult(err error) batchResult {
	f := fault.As(err)
	return batchResult{Status: f.Kind.Status(), Substatus: f.Substatus, Charge: chargeMiss, Message: f.Message, Code: f.Code, Retry: f.RetryAfter.Milliseconds()}
}
