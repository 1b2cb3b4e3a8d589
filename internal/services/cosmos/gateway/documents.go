package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// container finds the container of a documents request.
func (g *Gateway) container(ctx context.Context, c *call) (*catalog.Container, error) {
	_, con, err := g.Catalog.Container(ctx, c.account.GUID, c.Param("db"), c.Param("coll"))
	if err != nil {
		return nil, err
	}
	c.Resource = c.account.ID + "/" + con.Derived.Path
	return con, c.intended(con)
}

// partitionKey reads the header; given is false when it is absent.
func (c *call) partitionKey(con *catalog.Container) (key pkey.Key, given bool, err error) {
	text := c.header("X-Ms-Documentdb-Partitionkey")
	if text == "" {
		if con.PartitionKey.SystemKey {
			return pkey.Key{pkey.Value{}}, true, nil
		}
		return nil, false, nil
	}
	if s, ok := simpleString(text); ok {
		return pkey.Key{pkey.StringValue(s)}, true, nil
	}
	key, err = pkey.ParseHeader(text)
	if err != nil {
		return nil, false, err
	}
	if len(key) == 0 && len(con.PartitionKey.Paths) == 1 {
		key = pkey.Key{pkey.Value{}} // [] and [{}] both stand for none
	}
	return key, true, nil
}

// simpleString reads the common form of the header, one string without escapes.
func simpleString(text string) (string, bool) {
	if len(text) < 4 || text[:2] != `["` || text[len(text)-2:] != `"]` {
		return "", false
	}
	s := text[2 : len(text)-2]
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' || s[i] < 0x20 {
			return "", false
		}
	}
	return s, utf8.ValidString(s)
}

// wholeKey is partitionKey for operations on one logical partition.
func (c *call) wholeKey(con *catalog.Container) (pkey.Key, error) {
	key, given, err := c.partitionKey(con)
	switch {
	case err != nil:
		return nil, err
	case !given:
		return nil, withSub(invalid("PartitionKey value must be supplied for this operation."), 1000)
	case len(key) != len(con.PartitionKey.Paths):
		return nil, keyMismatch()
	}
	return key, nil
}

func keyMismatch() *fault.Error {
	return withSub(invalid("Partition key provided either doesn't correspond to definition in the collection or doesn't match partition key field values specified in the document."),
		subPartitionKeyMismatch)
}

// checkDocumentKey compares the document's own key with the header's.
func checkDocumentKey(doc items.Document, con *catalog.Container, key pkey.Key) error {
	own, err := pkey.Extract(doc.Text, con.PartitionKey.Paths)
	if err != nil {
		return err
	}
	if !own.Equal(key) {
		return withSub(invalid("PartitionKey extracted from document doesn't match the one specified in the header. Learn more: https://aka.ms/CosmosDB/sql/errors/wrong-pk-value"),
			subPartitionKeyMismatch)
	}
	return nil
}

// documentError words the errors of package items.
func documentError(err error) error {
	var failed *items.FailedWrite
	if errors.As(err, &failed) {
		err = failed.Err
	}
	if items.Moved(err) {
		return ownerGone().WithCause(err)
	}
	return err
}

func (g *Gateway) postDocuments(ctx context.Context, c *call) (any, error) {
	con, err := g.container(ctx, c)
	if err != nil {
		return nil, err
	}
	switch c.op {
	case opQuery:
		return g.queryDocuments(ctx, c, con)
	case opPlan:
		return g.planQuery(c, con)
	case opBatch:
		return g.batch(ctx, c, con)
	}
	w := items.Write{Op: items.Create}
	if c.isTrue("X-Ms-Documentdb-Is-Upsert") {
		w.Op, w.IfMatch, w.IfNoneMatch = items.Upsert, c.header("If-Match"), c.header("If-None-Match")
	}
	if w.Doc, err = items.Parse(c.Body); err != nil {
		return nil, err
	}
	w.ID = w.Doc.ID
	return g.write(ctx, c, con, w)
}

// write does one write and answers it.
func (g *Gateway) write(ctx context.Context, c *call, con *catalog.Container, w items.Write) (out any, err error) {
	if w.Directive, err = c.directive(); err != nil {
		return nil, err
	}
	if c.hasTriggers() {
		return g.writeWithTriggers(ctx, c, con, w)
	}
	key, err := c.wholeKey(con)
	if err != nil {
		return nil, err
	}
	if w.Doc.Text != nil {
		if err := checkDocumentKey(w.Doc, con, key); err != nil {
			return nil, err
		}
	}
	w.EPK = key.EPK(*con.PartitionKey)
	if err := g.admit(c, con, w.EPK); err != nil {
		return nil, err
	}
	ws := [1]items.Write{w}
	outs, state, err := g.Items.Apply(ctx, con.At(w.EPK), c.now, ws[:])
	if err != nil && w.Number == 0 && w.Op != items.Create && w.Op != items.Upsert && fault.Is(err, fault.NotFound) {
		// The path may name the document by resource id.
		if number := documentNumber(con, w.ID); number != 0 {
			ws[0].Number = number
			outs, state, err = g.Items.Apply(ctx, con.At(w.EPK), c.now, ws[:])
		}
	}
	if err != nil {
		return nil, documentError(err)
	}
	return c.written(con, w.Op, outs[0], state), nil
}

// written answers a write.
func (c *call) written(con *catalog.Container, op items.Op, out items.Outcome, state items.State) *wire.Reply {
	c.setCharge(chargeWrite(op, out))
	c.setRange(con, state)
	c.setUsage(con, state.Usage)
	c.SetHeader("X-Ms-Item-Lsn", strconv.FormatUint(out.LSN, 10))
	r := &wire.Reply{Status: writeStatus(op, out)}
	if out.Text != nil {
		c.SetHeader("Etag", out.ETag)
		if !minimal(c.header("Prefer")) {
			r.Body = json.RawMessage(out.Text)
		}
	}
	return r
}

func writeStatus(op items.Op, out items.Outcome) int {
	switch {
	case out.Created:
		return http.StatusCreated
	case op == items.Delete:
		return http.StatusNoContent
	}
	return http.StatusOK
}

func chargeWrite(op items.Op, out items.Outcome) float64 {
	switch {
	case out.Created:
		return chargeCreate(len(out.Text), out.Properties)
	case op == items.Delete:
		return chargeDelete(out.OldSize)
	case op == items.Read:
		return chargeRead(len(out.Text), "")
	}
	return chargeReplace(len(out.Text), out.Properties)
}

// minimal tells whether the client does without the body of what it wrote.
func minimal(prefer string) bool {
	return prefer != "" && strings.Contains(strings.ToLower(prefer), "return=minimal")
}

// documentNumber is the number in a document's resource id, 0 if ref is none of this container.
func documentNumber(con *catalog.Container, ref string) uint64 {
	id, err := rid.Parse(ref)
	if err != nil || id.Kind() != rid.Document || id.Parent() != con.RID() {
		return 0
	}
	return id.Number()
}

func (g *Gateway) readDocument(ctx context.Context, c *call) (any, error) {
	con, err := g.container(ctx, c)
	if err != nil {
		return nil, err
	}
	key, err := c.wholeKey(con)
	if err != nil {
		return nil, err
	}
	level, err := c.consistency()
	if err != nil {
		return nil, err
	}
	epk, id := key.EPK(*con.PartitionKey), c.Param("doc")
	r := con.At(epk)
	if err := g.admit(c, con, epk); err != nil {
		return nil, err
	}
	item, state, err := g.Items.Get(ctx, r, epk, id, 0)
	if err != nil {
		return nil, err
	}
	if item == nil {
		if number := documentNumber(con, id); number != 0 {
			if item, state, err = g.Items.Get(ctx, r, epk, "", number); err != nil {
				return nil, err
			}
		}
	}
	if err := c.checkSession(state); err != nil {
		return nil, err
	}
	if item == nil {
		c.setCharge(chargeMiss)
		c.setRange(con, state)
		return nil, items.ErrNotFound()
	}
	c.setCharge(chargeRead(len(item.Text), level))
	c.setRange(con, state)
	c.SetHeader("X-Ms-Item-Lsn", strconv.FormatUint(item.LSN, 10))
	c.SetHeader("Etag", item.ETag)
	if v := c.header("If-None-Match"); v != "" && items.MatchETag(v, item.ETag) {
		return &wire.Reply{Status: http.StatusNotModified}, nil
	}
	return json.RawMessage(item.Text), nil
}

func (g *Gateway) replaceDocument(ctx context.Context, c *call) (any, error) {
	con, err := g.container(ctx, c)
	if err != nil {
		return nil, err
	}
	doc, err := items.Parse(c.Body)
	if err != nil {
		return nil, err
	}
	return g.write(ctx, c, con, items.Write{Op: items.Replace, ID: c.Param("doc"), Doc: doc, IfMatch: c.header("If-Match"), IfNoneMatch: c.header("If-None-Match")})
}

func (g *Gateway) deleteDocument(ctx context.Context, c *call) (any, error) {
	con, err := g.container(ctx, c)
	if err != nil {
		return nil, err
	}
	return g.write(ctx, c, con, items.Write{Op: items.Delete, ID: c.Param("doc"), IfMatch: c.header("If-Match"), IfNoneMatch: c.header("If-None-Match")})
}
