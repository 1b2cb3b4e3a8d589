package face

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/infer/face"
	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

func TestExchanges(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, "testdata", func(t *testing.T) wiretest.Target {
		return wiretest.Target{Handler: newFixture(t).mux, Vars: map[string]string{"pictures": pictures(t)}}
	})
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	wiretest.CheckCovered(t, "testdata", f.routes)
	wiretest.CheckRoutes(t, f.mux, f.routes, wiretest.Check{Kind: wire.HostCognitive})
}

// TestDocument: the document has the routes that answer, and no other.
func TestDocument(t *testing.T) {
	t.Parallel()
	var doc struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal(document().JSON, &doc); err != nil {
		t.Fatal(err)
	}
	got, want := map[string]string{}, map[string]string{}
	for path, methods := range doc.Paths {
		for m, o := range methods {
			got[strings.ToUpper(m)+" "+path] = o.OperationID
		}
	}
	for _, r := range newFixture(t).routes {
		if !strings.HasPrefix(r.Operation, "Snapshot_") {
			want[r.Method+" "+r.Pattern] = r.Operation
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-routes +document\n%s", diff)
	}
}

// call sends one request as an account and reads the answer into into, if it isn't nil.
func (f *fixture) call(t *testing.T, account, method, path, contentType, body string, into any) int {
	t.Helper()
	r := httptest.NewRequest(method, "http://x"+Base+path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Account", account)
	w := httptest.NewRecorder()
	f.mux.ServeHTTP(w, r)
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	}
	return w.Code
}

func (f *fixture) json(t *testing.T, method, path, body string, into any) int {
	t.Helper()
	return f.call(t, "a", method, path, "application/json", body, into)
}

// detect gives the faceIds of a picture.
func (f *fixture) detect(t *testing.T, account, colours, query string) []string {
	t.Helper()
	var faces []struct{ FaceID string }
	if code := f.call(t, account, "POST", "/detect"+query, "application/octet-stream", string(picture(t, colours)), &faces); code != 200 {
		t.Fatalf("detect: %d", code)
	}
	var out []string
	for _, x := range faces {
		out = append(out, x.FaceID)
	}
	return out
}

type failed struct {
	Error struct{ Code, Message string }
}

// TestFaceIDsExpire: a faceId is known as long as its request said, then gone also from the store.
func TestFaceIDsExpire(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	day, minute := f.detect(t, "a", "ff0000", "")[0], f.detect(t, "a", "ff0000", "?faceIdTimeToLive=60")[0]
	verify := fmt.Sprintf(`{"faceId1":%q,"faceId2":%q}`, day, minute)
	if code := f.json(t, "POST", "/verify", verify, nil); code != 200 {
		t.Fatalf("verify: %d", code)
	}
	f.clock.pass(time.Minute)
	var e failed
	if code := f.json(t, "POST", "/verify", verify, &e); code != 404 || e.Error.Code != "FaceNotFound" {
		t.Errorf("verify after a minute: %d %+v", code, e)
	}
	f.clock.pass(24 * time.Hour)
	f.detect(t, "a", "00ff00", "")
	rows, err := list(t.Context(), f.service, faceShard("a"), after("f|", ""), 0, detectedCodec)
	if err != nil || len(rows) != 1 {
		t.Errorf("after a day %d faces are stored, want the last one (%v)", len(rows), err)
	}
}

// TestAccountsApart: what one account has, another neither sees nor uses.
func TestAccountsApart(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.detect(t, "a", "ff0000", "")[0]
	other := f.detect(t, "b", "ff0000", "")[0]
	if code := f.json(t, "PUT", "/facelists/l", `{"name":"n"}`, nil); code != 200 {
		t.Fatal(code)
	}
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/verify", fmt.Sprintf(`{"faceId1":%q,"faceId2":%q}`, id, other)},
		{"GET", "/facelists/l", ""},
		{"DELETE", "/facelists/l", ""},
		{"POST", "/findsimilars", fmt.Sprintf(`{"faceId":%q,"faceListId":"l"}`, other)},
	} {
		if code := f.call(t, "b", c.method, c.path, "application/json", c.body, nil); code != 404 {
			t.Errorf("%s %s as another account: %d", c.method, c.path, code)
		}
	}
}

// TestTrainingDecides: identify sees the persons of the last training, less those deleted since.
func TestTrainingDecides(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	must := func(want int, method, path, contentType, body string, into any) {
		t.Helper()
		if code := f.call(t, "a", method, path, contentType, body, into); code != want {
			t.Fatalf("%s %s: %d, want %d", method, path, code, want)
		}
	}
	add := func(colour string) string {
		var p struct{ PersonID string }
		must(200, "POST", "/persongroups/g/persons", "application/json", `{"name":"p"}`, &p)
		must(200, "POST", "/persongroups/g/persons/"+p.PersonID+"/persistedfaces", "application/octet-stream", string(picture(t, colour)), nil)
		return p.PersonID
	}
	identify := func(colour string) (persons []string) {
		id := f.detect(t, "a", colour, "")[0]
		var res []struct{ Candidates []struct{ PersonID string } }
		must(200, "POST", "/identify", "application/json", fmt.Sprintf(`{"personGroupId":"g","faceIds":[%q]}`, id), &res)
		for _, c := range res[0].Candidates {
			persons = append(persons, c.PersonID)
		}
		return persons
	}
	must(200, "PUT", "/persongroups/g", "application/json", `{"name":"n"}`, nil)
	must(202, "POST", "/persongroups/g/train", "", "", nil)
	var e failed
	must(400, "POST", "/identify", "application/json", fmt.Sprintf(`{"personGroupId":"g","faceIds":[%q]}`, f.detect(t, "a", "ff0000", "")[0]), &e)
	if e.Error.Code != "PersonGroupNotTrained" {
		t.Errorf("identify in an empty group: %+v", e)
	}
	red := add("ff0000")
	must(202, "POST", "/persongroups/g/train", "", "", nil)
	green := add("00ff00")
	if diff := cmp.Diff([]string{red}, identify("f00000")); diff != "" {
		t.Errorf("red: -want +got\n%s", diff)
	}
	if got := identify("00ff00"); got != nil {
		t.Errorf("green is found before it was trained: %v", got)
	}
	must(202, "POST", "/persongroups/g/train", "", "", nil)
	if diff := cmp.Diff([]string{green}, identify("00ff00")); diff != "" {
		t.Errorf("green: -want +got\n%s", diff)
	}
	must(200, "DELETE", "/persongroups/g/persons/"+red, "", "", nil)
	if got := identify("ff0000"); got != nil {
		t.Errorf("red is found after it was deleted: %v", got)
	}
}

func TestModelsApart(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a, b := f.detect(t, "a", "ff0000", "?recognitionModel=recognition_04")[0], f.detect(t, "a", "ff0000", "")[0]
	var e failed
	if code := f.json(t, "POST", "/verify", fmt.Sprintf(`{"faceId1":%q,"faceId2":%q}`, a, b), &e); code != 400 || e.Error.Code != "BadArgument" {
		t.Errorf("faces of two models: %d %+v", code, e)
	}
}

func TestCharges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.detect(t, "a", "ff0000", "")[0]
	f.json(t, "POST", "/group", fmt.Sprintf(`{"faceIds":[%q,%q]}`, id, id), nil)
	f.json(t, "GET", "/persongroups", "", nil)
	f.json(t, "GET", "/persongroups/none", "", nil) // refused: free
	if f.charged != 3 {
		t.Errorf("charged %d, want 3", f.charged)
	}
}

func TestTogether(t *testing.T) {
	t.Parallel()
	e := func(x float32) face.Embedding {
		v := make(face.Embedding, face.EmbeddingSize)
		v[0] = x
		return v
	}
	for _, c := range []struct {
		xs   []float32
		want [][]int
	}{
		{[]float32{0, 5}, [][]int{{0}, {1}}},
		{[]float32{0, 5, 0.1, 5.1, 5.2, 9}, [][]int{{1, 3, 4}, {0, 2}, {5}}},
		{[]float32{1, 1, 1, 1}, [][]int{{0, 1, 2, 3}}},
		// A chain whose ends are far apart doesn't become one group.
		{[]float32{0, 0.45, 0.9, 1.35}, [][]int{{0, 1}, {2, 3}}},
	} {
		var es []face.Embedding
		for _, x := range c.xs {
			es = append(es, e(x))
		}
		if diff := cmp.Diff(c.want, together(es)); diff != "" {
			t.Errorf("%v: -want +got\n%s", c.xs, diff)
		}
	}
}

func TestMissingWeights(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.service = New(Deps{Models: func() (Engine, error) { return face.Open(t.TempDir()) }})
	err := f.service.API().Open(t.Context())
	if err == nil || !strings.Contains(err.Error(), "scripts/face-models") || !strings.Contains(err.Error(), "facemesh.bin") {
		t.Errorf("got %v", err)
	}
}

// TestQuota: the 1,001st face of a list is refused.
func TestQuota(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if code := f.json(t, "PUT", "/facelists/l", `{"name":"n"}`, nil); code != 200 {
		t.Fatal(code)
	}
	k := collectionOf("l")
	var writes []entry
	for i := range k.most {
		r := row[persisted]{key: k.faceKey("l", noPerson, fmt.Sprintf("%08d-0000-0000-0000-000000000000", i)), v: persisted{Embedding: make(vector, face.EmbeddingSize)}}
		w, err := sealed(f.service, groupShard("a"), r, persistedCodec)
		if err != nil {
			t.Fatal(err)
		}
		writes = append(writes, w)
	}
	if err := f.service.commit(t.Context(), groupShard("a"), writes...); err != nil {
		t.Fatal(err)
	}
	var e failed
	code := f.call(t, "a", "POST", "/facelists/l/persistedfaces", "application/octet-stream", string(picture(t, "ff0000")), &e)
	if code != http.StatusForbidden || e.Error.Code != "QuotaExceeded" {
		t.Errorf("the 1,001st face: %d %+v", code, e)
	}
}
