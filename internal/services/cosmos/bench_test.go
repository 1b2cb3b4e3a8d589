package cosmos

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/benchbar"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// discard is a ResponseWriter that keeps the status.
type discard struct {
	h      http.Header
	status int
}

func (d *discard) Header() http.Header { return d.h }
func (d *discard) Write(b []byte) (int, error) {
	return len(b), nil
}
func (d *discard) WriteHeader(s int) { d.status = s }

func benchPlatform(b *testing.B) *platform {
	b.Helper()
	p := openPlatformAt(b, b.TempDir()+"/db", vfs.Default)
	p.check(p.put("acct", `{"location":"West US","properties":{}}`))
	p.loadKeys()
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 201)
	p.check(p.tagged("off")) // the clock stands still, so nothing would be earned
	// Measured without audit records, which nothing flushes in the background here.
	var err error
	p.mux, err = wire.NewMux([]wire.Service{p.s.Service()}, wire.Options{Clock: p.clock})
	p.check(err)
	return p
}

func benchDocument(id string) string {
	return fmt.Sprintf(`{"id":%q,"pk":"a","name":"Contoso","tags":["a","b","c"],"address":{"street":"1 Main Street","city":"Redmond","zip":98052},"text":%q}`, id, strings.Repeat("x", 800))
}

// BenchmarkRead is a point read through the mux, without HTTP and TLS.
func BenchmarkRead(b *testing.B) {
	p := benchPlatform(b)
	p.want(p.item("POST", "", `["a"]`, benchDocument("1")), 201)
	r := p.sign(p.keys.Keys[gateway.Primary], p.request("GET", "/dbs/db/colls/c/docs/1", "", "x-ms-documentdb-partitionkey", `["a"]`))
	b.ResetTimer()
	bar := benchbar.Start(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			w := &discard{h: http.Header{}}
			p.mux.ServeHTTP(w, r)
			if w.status != 200 {
				b.Errorf("status %d", w.status)
				return
			}
		}
	})
	bar.Allocs(36)
}

// BenchmarkCreate is a durable create by 8 clients in one container, through the mux, without HTTP and TLS.
func BenchmarkCreate(b *testing.B) {
	p := benchPlatform(b)
	signed := p.sign(p.keys.Keys[gateway.Primary], p.request("POST", "/dbs/db/colls/c/docs", "", "x-ms-documentdb-partitionkey", `["a"]`, "prefer", "return=minimal"))
	var n atomic.Int64
	b.SetParallelism((8 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	bar := benchbar.Start(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			body := benchDocument(fmt.Sprint("id", n.Add(1)))
			r := signed.Clone(context.Background())
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			w := &discard{h: http.Header{}}
			p.mux.ServeHTTP(w, r)
			if w.status != 201 {
				b.Errorf("status %d", w.status)
				return
			}
		}
	})
	bar.Allocs(88)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "creates/s")
}

// BenchmarkReadTLS is a point read over HTTPS, client and server in this process.
func BenchmarkReadTLS(b *testing.B) {
	p := benchPlatform(b)
	p.want(p.item("POST", "", `["a"]`, benchDocument("1")), 201)
	srv := httptest.NewTLSServer(p.mux)
	defer srv.Close()
	r := p.sign(p.keys.Keys[gateway.Primary], p.request("GET", "/dbs/db/colls/c/docs/1", "", "x-ms-documentdb-partitionkey", `["a"]`))
	client := srv.Client()
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = 64
	b.SetParallelism(4)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, _ := http.NewRequest("GET", srv.URL+"/dbs/db/colls/c/docs/1", nil)
			req.Header, req.Host = r.Header, host
			res, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if res.StatusCode != 200 {
				b.Errorf("status %d", res.StatusCode)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
}

// BenchmarkQuery filters 1,000 documents of a logical partition down to one.
func BenchmarkQuery(b *testing.B) {
	p := benchPlatform(b)
	for i := range 1000 {
		p.want(p.item("POST", "", `["a"]`, benchDocument(fmt.Sprint("id", i))), 201)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		a := p.query("SELECT * FROM c WHERE c.id = 'id500' AND c.address.zip > 98000", "x-ms-documentdb-partitionkey", `["a"]`)
		if a.status != 200 || !strings.Contains(a.body, `"_count":1`) {
			b.Fatal(a.body)
		}
	}
}
