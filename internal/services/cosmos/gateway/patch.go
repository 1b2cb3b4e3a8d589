package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
)

// Bounds of a patch.
const (
	maxPatch     = 10  // operations
	patchRetries = 100 // times the document may change under it
)

type patchOperation struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	From  string          `json:"from"`
	Value json.RawMessage `json:"value"`
}

// patchBody is what a PATCH sends; some clients send the array of operations alone.
type patchBody struct {
	Condition  string           `json:"condition"`
	Operations []patchOperation `json:"operations"`
}

// patch is a parsed patchBody.
type patch struct {
	operations []patchOperation
	condition  *query.Program // nil: none
}

func parsePatch(body []byte) (*patch, error) {
	var p patchBody
	var err error
	if text := bytes.TrimLeft(body, " \t\r\n"); len(text) > 0 && text[0] == '[' {
		err = json.Unmarshal(body, &p.Operations)
	} else {
		err = json.Unmarshal(body, &p)
	}
	if err != nil {
		return nil, invalid("The patch is not a JSON document of the form {\"operations\": [...]}.")
	}
	if len(p.Operations) == 0 || len(p.Operations) > maxPatch {
		return nil, invalid("A patch has %d operations; 1 to %d are allowed.", len(p.Operations), maxPatch)
	}
	out := &patch{operations: p.Operations}
	if p.Condition == "" {
		return out, nil
	}
	q, err := query.Parse("SELECT * " + p.Condition)
	if err != nil {
		return nil, err
	}
	out.condition, err = query.Compile(q, nil)
	return out, err
}

// patchDocument changes parts of a document. It computes on what it read and commits if the document still is that.
func (g *Gateway) patchDocument(ctx context.Context, c *call) (any, error) {
	con, err := g.container(ctx, c)
	if err != nil {
		return nil, err
	}
	patch, err := parsePatch(c.Body)
	if err != nil {
		return nil, err
	}
	if err := patch.check(con.PartitionKey.Paths); err != nil {
		return nil, err
	}
	key, err := c.wholeKey(con)
	if err != nil {
		return nil, err
	}
	w := items.Write{Op: items.Replace, ID: c.Param("doc"), EPK: key.EPK(*con.PartitionKey), IfMatch: c.header("If-Match"), IfNoneMatch: c.header("If-None-Match")}
	if err := g.admit(c, con, w.EPK); err != nil {
		return nil, err
	}
	turn := g.patching.turn(w.EPK + w.ID)
	defer turn.end()
	for attempt := range patchRetries {
		if err := turn.take(ctx, attempt); err != nil {
			return nil, err
		}
		if out, again, err := g.patchOnce(ctx, c, con, patch, w); !again {
			return out, err
		}
	}
	return nil, retryWith()
}

// patchOnce reads, computes and commits. again: the document changed in between.
func (g *Gateway) patchOnce(ctx context.Context, c *call, con *catalog.Container, patch *patch, w items.Write) (out any, again bool, err error) {
	old, _, err := g.Items.Get(ctx, con.At(w.EPK), w.EPK, w.ID, 0)
	if err == nil && old == nil {
		if number := documentNumber(con, w.ID); number != 0 { // the path may name it by resource id
			old, _, err = g.Items.Get(ctx, con.At(w.EPK), w.EPK, "", number)
		}
	}
	switch {
	case err != nil:
		return nil, false, err
	case old == nil:
		return nil, false, items.ErrNotFound()
	case w.IfMatch != "" && !items.MatchETag(w.IfMatch, old.ETag), w.IfNoneMatch != "" && items.MatchETag(w.IfNoneMatch, old.ETag):
		return nil, false, precondition()
	}
	if w.Doc, err = patch.apply(old.Text); err != nil {
		return nil, false, err
	}
	w.ID, w.IfMatch, w.IfNoneMatch = w.Doc.ID, old.ETag, ""
	out, err = g.write(ctx, c, con, w)
	return out, fault.Is(err, fault.Precondition), err
}

func retryWith() *fault.Error {
	return &fault.Error{Kind: fault.RetryWith, Code: "RetryWith", Message: "The document kept changing while it was patched. Try again."}
}

func precondition() *fault.Error {
	return fault.New(fault.Precondition, "PreconditionFailed", "Operation cannot be performed because one of the specified precondition is not met.")
}

// check refuses a patch of what cannot be patched: the id and the partition key.
func (p *patch) check(keyPaths []string) error {
	for i, op := range p.operations {
		paths := []string{op.Path}
		if strings.EqualFold(op.Op, "move") {
			paths = append(paths, op.From)
		}
		for _, path := range paths {
			within := func(kept string) bool { return path == kept || strings.HasPrefix(path, kept+"/") }
			if within("/id") || slices.ContainsFunc(keyPaths, within) {
				return invalid("For Operation(%d): The path (%s) cannot be patched: it is the id or the partition key of the document.", i+1, path)
			}
		}
	}
	return nil
}

// apply makes the patched document of a document's text.
func (p *patch) apply(text []byte) (items.Document, error) {
	if p.condition != nil {
		ok, err := p.condition.NewEvaluator().Match(text)
		if err != nil {
			return items.Document{}, err
		}
		if !ok {
			return items.Document{}, precondition()
		}
	}
	doc, err := fastjson.ParseBytes(text)
	if err != nil {
		return items.Document{}, err
	}
	for i, op := range p.operations {
		if err := op.apply(doc); err != nil {
			return items.Document{}, invalid("For Operation(%d): %s", i+1, err.Message)
		}
	}
	return items.Parse(doc.MarshalTo(nil))
}

func (op *patchOperation) apply(doc *fastjson.Value) *fault.Error {
	steps, f := pointer(op.Path)
	if f != nil {
		return f
	}
	parent, f := parentOf(doc, steps)
	if f != nil {
		return f
	}
	last := steps[len(steps)-1]
	switch strings.ToLower(op.Op) {
	case "add", "set", "replace":
		value, err := fastjson.ParseBytes(op.Value)
		if err != nil {
			return invalid("The value of the path (%s) is missing or no JSON.", op.Path)
		}
		return place(parent, last, value, strings.ToLower(op.Op), op.Path)
	case "remove":
		return remove(parent, last, op.Path)
	case "incr", "increment":
		return increment(parent, last, op)
	case "move":
		return move(doc, op, parent, last)
	}
	return invalid("The operation '%s' is unknown; it is add, set, replace, remove, incr or move.", op.Op)
}

// pointer reads a JSON pointer (RFC 6901). It names at least one step.
func pointer(path string) ([]string, *fault.Error) {
	if len(path) < 2 || path[0] != '/' {
		return nil, invalid("The path (%s) is invalid; it begins with '/'.", path)
	}
	steps := strings.Split(path[1:], "/")
	for i, s := range steps {
		steps[i] = strings.ReplaceAll(strings.ReplaceAll(s, "~1", "/"), "~0", "~")
	}
	switch steps[0] {
	case "_rid", "_self", "_etag", "_attachments", "_ts":
		return nil, invalid("The path (%s) is a system property and cannot be patched.", path)
	}
	return steps, nil
}

func parentOf(doc *fastjson.Value, steps []string) (*fastjson.Value, *fault.Error) {
	v := doc
	for _, s := range steps[:len(steps)-1] {
		if v = child(v, s); v == nil {
			return nil, invalid("Add Operation can only create a child object of an existing node(array or object) and cannot create path recursively, no path found beyond: '%s'.", s)
		}
	}
	if t := v.Type(); t != fastjson.TypeObject && t != fastjson.TypeArray {
		return nil, invalid("The path (/%s) leads through a value that is no object or array.", strings.Join(steps, "/"))
	}
	return v, nil
}

// child is a member or element; nil if there is none.
func child(v *fastjson.Value, step string) *fastjson.Value {
	if v.Type() == fastjson.TypeArray {
		i, ok := elementIndex(step)
		if a := v.GetArray(); ok && i < len(a) {
			return a[i]
		}
		return nil
	}
	if v.Type() != fastjson.TypeObject {
		return nil
	}
	return v.Get(step)
}

func elementIndex(step string) (int, bool) {
	n, err := strconv.ParseUint(step, 10, 31)
	return int(n), err == nil && (step == "0" || step[0] != '0')
}

// place does add, set and replace.
func place(parent *fastjson.Value, step string, value *fastjson.Value, op, path string) *fault.Error {
	if parent.Type() == fastjson.TypeObject {
		if op == "replace" && parent.Get(step) == nil {
			return invalid("Replace Operation only works on an existing path; the path (%s) does not exist.", path)
		}
		parent.Set(step, value)
		return nil
	}
	list := parent.GetArray()
	at, ok := elementIndex(step)
	if step == "-" && op != "replace" {
		at, ok = len(list), true
	}
	switch {
	case !ok || at > len(list) || op == "replace" && at == len(list):
		return invalid("The index of the path (%s) is out of the array's bounds.", path)
	case op == "add" && at < len(list):
		for i := len(list); i > at; i-- {
			parent.SetArrayItem(i, list[i-1])
		}
		parent.SetArrayItem(at, value)
	default:
		parent.SetArrayItem(at, value)
	}
	return nil
}

func remove(parent *fastjson.Value, step, path string) *fault.Error {
	if child(parent, step) == nil {
		return invalid("Remove Operation only works on an existing path; the path (%s) does not exist.", path)
	}
	parent.Del(step)
	return nil
}

// increment adds a number to one, or to nothing. Whole numbers stay whole.
func increment(parent *fastjson.Value, step string, op *patchOperation) *fault.Error {
	text := string(op.Value)
	by, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return invalid("The value to increment the path (%s) by is no number.", op.Path)
	}
	sum := text
	old := child(parent, step)
	if old == nil && parent.Type() == fastjson.TypeArray {
		return invalid("The index of the path (%s) is out of the array's bounds.", op.Path)
	}
	if old != nil {
		if old.Type() != fastjson.TypeNumber {
			return invalid("The path (%s) to increment is no number.", op.Path)
		}
		was := old.String()
		a, errA := strconv.ParseInt(was, 10, 64)
		b, errB := strconv.ParseInt(text, 10, 64)
		if errA == nil && errB == nil && (b >= 0 && a <= math.MaxInt64-b || b < 0 && a >= math.MinInt64-b) {
			sum = strconv.FormatInt(a+b, 10)
		} else {
			f := old.GetFloat64() + by
			if math.IsInf(f, 0) || math.IsNaN(f) {
				return invalid("Incrementing the path (%s) leaves the range of numbers.", op.Path)
			}
			sum = strconv.FormatFloat(f, 'g', -1, 64)
		}
	}
	value, perr := fastjson.Parse(sum)
	if perr != nil {
		return invalid("The value to increment the path (%s) by is no number.", op.Path)
	}
	return place(parent, step, value, "set", op.Path)
}

// move takes a value away and puts it elsewhere, as a removal and an addition.
func move(doc *fastjson.Value, op *patchOperation, parent *fastjson.Value, last string) *fault.Error {
	if op.Path != op.From && strings.HasPrefix(op.Path+"/", op.From+"/") {
		return invalid("A value cannot be moved to (%s), into itself.", op.Path)
	}
	steps, f := pointer(op.From)
	if f != nil {
		return f
	}
	source, f := parentOf(doc, steps)
	if f != nil {
		return f
	}
	from := steps[len(steps)-1]
	value := child(source, from)
	if value == nil {
		return invalid("Move Operation only works on an existing path; the path (%s) does not exist.", op.From)
	}
	if op.Path == op.From {
		return nil
	}
	source.Del(from)
	return place(parent, last, value, "add", op.Path)
}
