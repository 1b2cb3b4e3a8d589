package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/scripts"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// scriptHost is what a script of a request reaches: the documents of one logical partition, in a session.
type scriptHost struct {
	g       *Gateway
	c       *call
	con     *catalog.Container
	key     pkey.Key
	session *items.Session
	charge  float64
}

// Call implements scripts.Host.
func (x *scriptHost) Call(ctx context.Context, op string, args []string) ([]byte, error) {
	var reply scripts.Reply
	var err error
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	switch op {
	case "create", "upsert":
		reply, err = x.create(ctx, op, arg(0), arg(1), arg(2), arg(3))
	case "replace":
		reply, err = x.replace(ctx, arg(0), arg(1), arg(2), arg(3))
	case "delete":
		reply, err = x.remove(ctx, arg(0), arg(1))
	case "read":
		reply, err = x.read(ctx, arg(0), arg(1))
	case "list":
		reply, err = x.list(ctx, arg(0), arg(1), arg(2))
	case "query":
		reply, err = x.query(ctx, arg(0), arg(1), arg(2), arg(3))
	default:
		err = refusal{invalid("The function %q is not allowed in server side scripting.", op)}
	}
	var refused refusal
	var f *fault.Error
	switch {
	case err == nil:
		reply.Accepted = true
	case errors.Is(err, items.ErrFull):
		reply = scripts.Reply{} // not accepted
	case errors.As(err, &refused):
		reply = scripts.Reply{Refused: problem(refused.f)}
	case errors.As(err, &f) && f.Kind.Status() < 500:
		reply = scripts.Reply{Accepted: true, Error: problem(f)}
	default:
		return nil, err
	}
	if reply.Options == nil {
		reply.Options = &scripts.Options{}
	}
	return json.Marshal(reply)
}

// refusal is an error that the script's call itself throws.
type refusal struct{ f *fault.Error }

func (r refusal) Error() string { return r.f.Error() }

func problem(f *fault.Error) *scripts.Problem {
	return &scripts.Problem{Number: f.Kind.Status(), Message: f.Message}
}

// inside takes the container's link off a link; ok is false for one that is not of this container.
func (x *scriptHost) inside(link string) (rest string, ok bool) {
	link = strings.Trim(link, "/")
	for _, own := range []string{x.con.Derived.Path, strings.TrimSuffix(x.con.RID().SelfLink(), "/")} {
		if rest, ok = strings.CutPrefix(link, own); ok && (rest == "" || rest[0] == '/') {
			return strings.TrimPrefix(rest, "/"), true
		}
	}
	return "", false
}

func (x *scriptHost) containerLink(link string) error {
	if rest, ok := x.inside(link); !ok || rest != "" {
		return x.outside(link)
	}
	return nil
}

func (x *scriptHost) outside(link string) error {
	return refusal{invalid("Function is not allowed to operate on resources outside current collection. Make sure that the link provided, \"%s\", belongs to current collection.", link)}
}

// document finds the one a link names, by id or resource id. No document: a nil item and the id.
func (x *scriptHost) document(ctx context.Context, link string) (*items.Item, string, error) {
	rest, ok := x.inside(link)
	id, isDoc := strings.CutPrefix(rest, "docs/")
	if !ok || !isDoc || id == "" {
		return nil, "", x.outside(link)
	}
	item, err := x.session.Get(ctx, id, 0)
	if item != nil || err != nil {
		return item, id, err
	}
	if number := documentNumber(x.con, id); number != 0 {
		item, err = x.session.Get(ctx, "", number)
	}
	return item, id, err
}

// parse checks a document that a script writes.
func (x *scriptHost) parse(text string) (items.Document, error) {
	doc, err := items.Parse([]byte(text))
	if err != nil {
		return doc, err
	}
	own, err := pkey.Extract(doc.Text, x.con.PartitionKey.Paths)
	if err != nil {
		return doc, err
	}
	if !own.Equal(x.key) {
		return doc, withSub(invalid("Requests originating from scripts cannot reference partition keys other than the one for which client request was submitted."), subPartitionKeyMismatch)
	}
	return doc, nil
}

// do makes a write.
func (x *scriptHost) do(ctx context.Context, w items.Write) (items.Outcome, error) {
	out, err := x.session.Do(ctx, w)
	if err != nil {
		x.charge += chargeMiss
		return out, err
	}
	x.charge += chargeWrite(w.Op, out)
	return out, nil
}

func written(out items.Outcome, err error) (scripts.Reply, error) {
	return scripts.Reply{Body: out.Text, Options: &scripts.Options{ETag: out.ETag}}, err
}

func (x *scriptHost) create(ctx context.Context, op, link, text, etag, action string) (scripts.Reply, error) {
	if err := x.containerLink(link); err != nil {
		return scripts.Reply{}, err
	}
	directive, err := parseDirective(action)
	if err != nil {
		return scripts.Reply{}, err
	}
	doc, err := x.parse(text)
	if err != nil {
		return scripts.Reply{}, err
	}
	w := items.Write{Op: items.Create, ID: doc.ID, Doc: doc, Directive: directive}
	if op == "upsert" {
		w.Op, w.IfMatch = items.Upsert, etag
	}
	return written(x.do(ctx, w))
}

func (x *scriptHost) replace(ctx context.Context, link, text, etag, action string) (scripts.Reply, error) {
	directive, err := parseDirective(action)
	if err != nil {
		return scripts.Reply{}, err
	}
	item, _, err := x.document(ctx, link)
	if err != nil {
		return scripts.Reply{}, err
	}
	doc, err := x.parse(text)
	switch {
	case err != nil:
		return scripts.Reply{}, err
	case item == nil:
		return scripts.Reply{}, items.ErrNotFound()
	}
	return written(x.do(ctx, items.Write{Op: items.Replace, Number: item.Number, Doc: doc, IfMatch: etag, Directive: directive}))
}

func (x *scriptHost) remove(ctx context.Context, link, etag string) (scripts.Reply, error) {
	item, _, err := x.document(ctx, link)
	switch {
	case err != nil:
		return scripts.Reply{}, err
	case item == nil:
		return scripts.Reply{}, items.ErrNotFound()
	}
	_, err = x.do(ctx, items.Write{Op: items.Delete, Number: item.Number, IfMatch: etag})
	return scripts.Reply{}, err
}

func (x *scriptHost) read(ctx context.Context, link, ifNoneMatch string) (scripts.Reply, error) {
	item, _, err := x.document(ctx, link)
	switch {
	case err != nil:
		return scripts.Reply{}, err
	case item == nil:
		x.charge += chargeMiss
		return scripts.Reply{}, items.ErrNotFound()
	}
	x.charge += chargeRead(len(item.Text), "")
	if ifNoneMatch != "" && items.MatchETag(ifNoneMatch, item.ETag) {
		return scripts.Reply{Options: &scripts.Options{ETag: item.ETag, NotModified: true}}, nil
	}
	return scripts.Reply{Body: item.Text, Options: &scripts.Options{ETag: item.ETag}}, nil
}

func (x *scriptHost) list(ctx context.Context, link, size, token string) (scripts.Reply, error) {
	if err := x.containerLink(link); err != nil {
		return scripts.Reply{}, err
	}
	limit, ok := pageOf(size)
	if !ok {
		return scripts.Reply{}, invalid("The page size '%s' is invalid.", size)
	}
	m := mark("script", x.con.Derived.RID)
	st, err := decodeContinuation(token, m)
	if err != nil {
		return scripts.Reply{}, err
	}
	page, err := x.session.List(ctx, st.After, limit, pageBytes)
	if err != nil {
		return scripts.Reply{}, err
	}
	rows, bytes := make([]json.RawMessage, len(page.Rows)), 0
	for i, r := range page.Rows {
		rows[i] = r.Text
		bytes += len(r.Text)
	}
	x.charge += chargeRows(1, len(rows), bytes)
	reply := scripts.Reply{Options: &scripts.Options{}}
	if page.More {
		reply.Options.Continuation = encodeContinuation(m, query.State{After: page.Rows[len(page.Rows)-1].Key})
	}
	reply.Body, err = json.Marshal(rows)
	return reply, err
}

func (x *scriptHost) query(ctx context.Context, link, text, size, token string) (scripts.Reply, error) {
	if err := x.containerLink(link); err != nil {
		return scripts.Reply{}, err
	}
	limit, ok := pageOf(size)
	if !ok {
		return scripts.Reply{}, invalid("The page size '%s' is invalid.", size)
	}
	q, err := (&call{Request: &wire.Request{Host: x.c.Host, Body: []byte(text)}}).parseQuery()
	if err != nil {
		return scripts.Reply{}, err
	}
	q.program = q.program.With(x.c.environment(x.con, q.program))
	done, err := x.g.withFunctions(ctx, x.c, x.con, q)
	if err != nil {
		return scripts.Reply{}, err
	}
	defer done()
	m := mark("script query", x.con.Derived.RID, q.text)
	st, err := decodeContinuation(token, m)
	if err != nil {
		return scripts.Reply{}, err
	}
	from := ""
	if q.program.Streams() {
		from = st.After
	}
	params, err := query.Params(q.params)
	if err != nil {
		return scripts.Reply{}, err
	}
	page, err := query.Run(ctx, q.program, x.documents(ctx, index.Analyze(q.query, q.program, params), from), query.Limits{Items: limit, Bytes: pageBytes, Scan: pageScan, Memory: pageMemory}, st)
	if err != nil {
		return scripts.Reply{}, err
	}
	x.charge += chargeRows(chargeQuery, page.Scanned, page.Bytes)
	rows := make([]json.RawMessage, len(page.Rows))
	for i, r := range page.Rows {
		rows[i] = r
	}
	reply := scripts.Reply{Options: &scripts.Options{}}
	if page.Next != nil {
		reply.Options.Continuation = encodeContinuation(m, *page.Next)
	}
	reply.Body, err = json.Marshal(rows)
	return reply, err
}

// documents lists what a query looks at: the session's documents after a key, through the index where that helps.
func (x *scriptHost) documents(ctx context.Context, a *index.Analysis, after string) iter.Seq2[query.Doc, error] {
	return func(yield func(query.Doc, error) bool) {
		helps := true
		next := func(ctx context.Context, after string, rows, size int) (page items.Page, err error) {
			if helps {
				page, helps, err = x.session.Find(ctx, a, after, rows, size)
			}
			if err == nil && !helps {
				page, err = x.session.List(ctx, after, rows, size)
			}
			return page, err
		}
		for r, err := range items.Rows(ctx, next, after, chunkRows, chunkBytes) {
			if !yield(query.Doc{Key: r.Key, JSON: r.Text}, err) || err != nil {
				return
			}
		}
	}
}

// systemText is the document of a request as a trigger sees it: with the system properties it has so far.
func systemText(con *catalog.Container, doc items.Document, old *items.Item) json.RawMessage {
	if old == nil || len(doc.Text) < 2 {
		return doc.Text
	}
	id := rid.NewChild(con.RID(), rid.Document, old.Number)
	b := append([]byte(nil), doc.Text[:len(doc.Text)-1]...)
	b = append(b, `,"_rid":"`+id.String()+`","_self":"`+id.SelfLink()+`","_etag":`...)
	b = append(append(b, quote(old.ETag)...), `,"_ts":`...)
	b = strconv.AppendInt(b, old.Time, 10)
	return append(b, '}')
}
