package cosmos

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/hybridrow"
)

// rowOp is an operation as the .NET client sends it: bytes in the order of its schema, sparse fields in hand-made form.
type rowOp struct {
	kind         int32
	pk, id, body string
	sparse       string
}

func (o rowOp) bytes() []byte {
	b := binary.LittleEndian.AppendUint32([]byte{0x81}, 2145473648)
	bits := byte(1 | 2)
	var tail []byte
	for bit, s := range map[byte]string{4: o.pk, 16: o.id, 64: o.body} {
		if s != "" {
			bits |= bit
		}
	}
	for _, s := range []string{o.pk, o.id, o.body} {
		if s != "" {
			tail = append(binary.AppendUvarint(tail, uint64(len(s))), s...)
		}
	}
	b = append(b, bits)
	b = binary.LittleEndian.AppendUint32(b, uint32(o.kind))
	b = binary.LittleEndian.AppendUint32(b, 2)
	return append(append(b, tail...), o.sparse...)
}

// sparseText is a sparse string field.
func sparseText(token byte, s string) string { return string([]byte{20, token, byte(len(s))}) + s }

const (
	directiveExclude = "\x14\x08\x07Exclude"
	minimalReturn    = "\x03\x0c"
)

// rowResult is a result as the .NET client reads it.
type rowResult struct {
	Status, Substatus int32
	ETag, Body        string
	Retry             uint32
	Charge            float64
}

func readResults(t testing.TB, body string) (out []rowResult) {
	t.Helper()
	rows, err := hybridrow.Records([]byte(body), 100)
	if err != nil {
		t.Fatalf("%v: %q", err, body)
	}
	for _, row := range rows {
		if id := binary.LittleEndian.Uint32(row[1:]); id != 2145473649 {
			t.Fatalf("a row of the schema %d", id)
		}
		bits, rest := row[5], row[6:]
		r := rowResult{Status: int32(binary.LittleEndian.Uint32(rest)), Substatus: int32(binary.LittleEndian.Uint32(rest[4:]))}
		rest = rest[8:]
		if bits&1 == 0 || bits&2 == 0 && r.Substatus != 0 {
			t.Errorf("bits %b of %x", bits, row)
		}
		for _, v := range []struct {
			bit byte
			to  *string
		}{{4, &r.ETag}, {8, &r.Body}} {
			if bits&v.bit != 0 {
				n, used := binary.Uvarint(rest)
				*v.to, rest = string(rest[used:used+int(n)]), rest[used+int(n):]
			}
		}
		for len(rest) > 0 {
			switch {
			case bytes.HasPrefix(rest, []byte{11, 5}):
				r.Retry, rest = binary.LittleEndian.Uint32(rest[2:]), rest[6:]
			case bytes.HasPrefix(rest, []byte{16, 6}):
				r.Charge, rest = math.Float64frombits(binary.LittleEndian.Uint64(rest[2:])), rest[10:]
			default:
				t.Fatalf("a field %x", rest)
			}
		}
		out = append(out, r)
	}
	return out
}

func rowBatch(ops ...rowOp) string {
	b := hybridrow.AppendSegment(nil)
	for _, op := range ops {
		b = hybridrow.AppendRecord(b, op.bytes())
	}
	return string(b)
}

func rowStatuses(rs []rowResult) (out []int32) {
	for _, r := range rs {
		out = append(out, r.Status)
	}
	return out
}

// Operation types, as the .NET client numbers them.
const (
	netCreate, netPatch, netRead, netDelete, netReplace, netUpsert = 0, 1, 2, 4, 5, 20
)

func TestBatch_HybridRow(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	atomic := append([]string{"x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-ordered", "True"}, allOrNone...)
	send := func(status int, ops ...rowOp) []rowResult {
		t.Helper()
		a := p.want(p.item("POST", "", `["a"]`, rowBatch(ops...), atomic...), status)
		if got := a.header.Get("Content-Type"); got != "application/octet-stream" || a.header.Get("X-Ms-Request-Charge") == "" {
			t.Errorf("headers %v", a.header)
		}
		return readResults(t, a.body)
	}
	rs := send(200,
		rowOp{kind: netCreate, body: `{"id":"1","pk":"a","n":1}`},
		rowOp{kind: netUpsert, body: `{"id":"2","pk":"a"}`, sparse: minimalReturn},
		rowOp{kind: netReplace, id: "1", body: `{"id":"1","pk":"a","n":2}`},
		rowOp{kind: netPatch, id: "1", body: `{"operations":[{"op":"incr","path":"/n","value":5}]}`},
		rowOp{kind: netRead, id: "1"},
		rowOp{kind: netDelete, id: "2"})
	if d := cmp.Diff([]int32{201, 201, 200, 200, 200, 204}, rowStatuses(rs)); d != "" {
		t.Error(d)
	}
	var doc struct {
		N    float64
		ETag string `json:"_etag"`
	}
	p.check(json.Unmarshal([]byte(rs[4].Body), &doc))
	if doc.N != 7 || doc.ETag != rs[4].ETag || rs[0].Charge <= 0 || rs[1].Body != "" || rs[1].ETag == "" || rs[2].Body == "" {
		t.Errorf("results %+v", rs)
	}

	// One fails: nothing happened, and its row says why.
	rs = send(207, rowOp{kind: netCreate, body: `{"id":"3","pk":"a"}`}, rowOp{kind: netCreate, body: `{"id":"1","pk":"a"}`})
	if d := cmp.Diff([]int32{424, 409}, rowStatuses(rs)); d != "" {
		t.Error(d)
	}
	var why struct{ Code, Message string }
	p.check(json.Unmarshal([]byte(rs[1].Body), &why))
	if why.Code != "Conflict" || !strings.Contains(why.Message, "already exists") || rs[0].Body != "" {
		t.Errorf("results %+v", rs)
	}
	p.want(p.item("GET", "/3", `["a"]`, ""), 404)

	// Etags; a read that finds nothing new makes the whole a 207, and takes either condition.
	rs = send(207, rowOp{kind: netReplace, id: "1", body: `{"id":"1","pk":"a"}`, sparse: sparseText(9, `"old"`)})
	if d := cmp.Diff([]int32{412}, rowStatuses(rs)); d != "" {
		t.Error(d)
	}
	for _, token := range []byte{9, 10} {
		rs = send(207, rowOp{kind: netUpsert, body: `{"id":"4","pk":"a"}`}, rowOp{kind: netRead, id: "1", sparse: sparseText(token, doc.ETag)})
		if d := cmp.Diff([]int32{304}, rowStatuses(rs)[1:]); d != "" || rs[1].Body != "" {
			t.Errorf("%d: %s %+v", token, d, rs)
		}
	}
	p.want(p.item("GET", "/4", `["a"]`, ""), 200)

	// What is wrong as a whole has the usual form.
	for name, body := range map[string]string{
		"no rows":             rowBatch(),
		"broken":              rowBatch(rowOp{kind: netRead, id: "1"}) + "\x81",
		"no segment":          "\x81\x00",
		"an unknown kind":     rowBatch(rowOp{kind: 3, id: "1"}),
		"by another address":  rowBatch(rowOp{kind: netRead, id: "1", sparse: "\x07\x0b\x05\x00\x00\x00"}),
		"an unknown field":    rowBatch(rowOp{kind: netRead, id: "1", sparse: "\x14\x0eA\x01a"}),
		"too many operations": rowBatch(make([]rowOp, 101)...),
	} {
		want := 400
		if name == "an unknown kind" { // as in JSON it is the operation's fault
			want = 207
		}
		a := p.item("POST", "", `["a"]`, body, atomic...)
		if a.status != want || want == 400 && a.json(t)["code"] != "BadRequest" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestBulk_HybridRow(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	bulk := []string{
		"x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-atomic", "False", "x-ms-cosmos-batch-continue-on-error", "True",
		"x-ms-documentdb-partitionkeyrangeid", "0",
	}
	ops := []rowOp{
		{kind: netCreate, pk: `["a"]`, body: `{"id":"1","pk":"a","n":1}`},
		{kind: netCreate, pk: `["b"]`, body: `{"id":"1","pk":"b","n":1}`, sparse: directiveExclude},
		{kind: netRead, pk: `["a"]`, id: "none"},
		{kind: netCreate, pk: `[{}]`, body: `{"id":"1"}`},
	}
	rs := readResults(t, p.want(p.do("POST", "/dbs/db/colls/c/docs", rowBatch(ops...), bulk...), 207).body)
	if d := cmp.Diff([]int32{201, 201, 404, 201}, rowStatuses(rs)); d != "" {
		t.Error(d)
	}
	p.check(p.tagged("strict"))
	var many []rowOp
	for i := range 100 {
		many = append(many, rowOp{kind: netUpsert, pk: `["a"]`, body: fmt.Sprintf(`{"id":"m%d","pk":"a"}`, i)})
	}
	rs = readResults(t, p.want(p.do("POST", "/dbs/db/colls/c/docs", rowBatch(many...), bulk...), 207).body)
	if last := rs[99]; rs[0].Status != 201 || last.Status != 429 || last.Substatus != 3200 || last.Retry == 0 {
		t.Errorf("throttled: %+v and %+v", rs[0], last)
	}
}

// The indexing directive of a batch's operations decides whether a document has terms: what has none is read by every query.
func TestBatch_Directive(t *testing.T) {
	t.Parallel()
	const filter = "SELECT VALUE c.id FROM c WHERE c.n = 1"
	for name, ops := range map[string]string{
		"json":   `[{"operationType":"Create","indexingDirective":"%s","resourceBody":{"id":"1","pk":"a","n":2}}]`,
		"header": `[{"operationType":"Create","resourceBody":{"id":"1","pk":"a","n":2}}]`,
		"row":    "",
	} {
		for _, directive := range []string{"Include", "Exclude", "Default", ""} {
			p := withContainer(t)
			p.want(p.item("POST", "", `["a"]`, `{"id":"0","pk":"a","n":1}`), 201)
			headers, body := append([]string{"x-ms-cosmos-is-batch-request", "True"}, allOrNone...), ops
			switch name {
			case "json":
				body = fmt.Sprintf(ops, directive)
			case "header":
				headers = append(headers, "x-ms-indexing-directive", directive)
			case "row":
				body = rowBatch(rowOp{kind: netCreate, body: `{"id":"1","pk":"a","n":2}`, sparse: sparseText(8, directive)})
			}
			p.want(p.item("POST", "", `["a"]`, body, headers...), 200)
			a := p.want(p.query(filter, "x-ms-documentdb-partitionkey", `["a"]`, "x-ms-documentdb-populatequerymetrics", "true"), 200)
			want := "retrievedDocumentCount=1;"
			if directive == "Exclude" {
				want = "retrievedDocumentCount=2;"
			}
			if got := a.header.Get("X-Ms-Documentdb-Query-Metrics"); !strings.Contains(got, want) {
				t.Errorf("%s, %q: %s; want %s", name, directive, got, want)
			}
		}
	}
	p := withContainer(t)
	_, _, got := p.batch(`["a"]`, `[{"operationType":"Create","indexingDirective":"Perhaps","resourceBody":{"id":"1","pk":"a"}}]`, 207, allOrNone...)
	if d := cmp.Diff([]int{400}, got); d != "" {
		t.Error(d)
	}
}
