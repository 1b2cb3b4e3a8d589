package cosmos

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

// signing signs the requests whose authorization header names a key instead of holding a signature: "key 0" is the primary one.
func (p *platform) signing() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, ok := strings.CutPrefix(r.Header.Get("Authorization"), "key "); ok {
			r.Header.Set("X-Ms-Date", p.clock.Now().Format(http.TimeFormat))
			p.sign(p.keys.Keys[n[0]-'0'], r)
		}
		p.mux.ServeHTTP(w, r)
	})
}

func TestExchanges(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, "testdata", func(t *testing.T) wiretest.Target {
		return wiretest.Target{Handler: withAccount(t).signing()}
	})
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	p := withUser(t)
	p.permit("p", "All", "dbs/db/colls/c", "")
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`), 201)
	check := wiretest.Check{Names: map[wire.HostKind]string{wire.HostCosmos: "acct"}, Params: map[string]string{"db": "db", "coll": "c", "doc": "1", "user": "u", "permission": "p", "script": "s", "key": "k"}}
	var done, missing []wire.Route
	for _, r := range p.s.gateway.Routes() {
		if r.Operation == "Unsupported" {
			missing = append(missing, r)
		} else {
			done = append(done, r)
		}
	}
	if len(done) < 20 || len(missing) == 0 {
		t.Fatalf("%d routes work, %d do not", len(done), len(missing))
	}
	wiretest.CheckRoutes(t, p.mux, missing, check)
	check.Sign = func(r *http.Request) {
		r.Header.Set("X-Ms-Date", p.clock.Now().Format(http.TimeFormat))
		p.sign(p.keys.Keys[gateway.Primary], r)
	}
	wiretest.CheckRoutes(t, p.mux, done, check)
}

// FuzzPath sends all kinds of paths and partition keys, signed: whatever they are, no answer is a 500.
func FuzzPath(f *testing.F) {
	f.Add("GET", "/dbs/db/colls/c/docs/1", `["a"]`, "")
	f.Add("POST", "/dbs/db/colls/c/docs", `[{}]`, `{"id":"1"}`)
	f.Add("PATCH", "/dbs/db/colls/c/docs/%2F", `[1e400]`, `[{"op":"move","from":"/a","path":"/b"}]`)
	f.Add("PUT", "/dbs/AAAAAQ==/colls/AAAAAYAAAAE=/docs/AAAAAYAAAAEBAAAAAAAAAA==", `["a","b"]`, `{}`)
	f.Add("DELETE", "//dbs//x/", "", "")
	p := withContainer(f)
	f.Fuzz(func(t *testing.T, method, path, pk, body string) {
		switch method {
		case "GET", "POST", "PUT", "PATCH", "DELETE":
		default:
			return
		}
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " \x00?#") {
			return
		}
		r, err := http.NewRequest(method, "https://"+host+path, strings.NewReader(body))
		if err != nil || r.URL.Host != host {
			return
		}
		r.RequestURI, r.RemoteAddr = path, "192.0.2.7:1"
		r.Header["X-Ms-Date"] = []string{p.clock.Now().Format(http.TimeFormat)}
		r.Header["X-Ms-Documentdb-Partitionkey"] = []string{pk}
		p.t = t
		p.sign(p.keys.Keys[gateway.Primary], r)
		w := httptest.NewRecorder()
		p.mux.ServeHTTP(w, r)
		if w.Code == 500 || w.Code == 401 {
			t.Errorf("%s %q %q %q: %d %s", method, path, pk, body, w.Code, w.Body)
		}
	})
}
