package reach

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/benchbar"
)

// itemHandler answers as a point read does: 1 KB and twenty headers.
type itemHandler struct {
	brief  bool
	header http.Header
	body   []byte
}

func (h *itemHandler) Brief(*http.Request) bool { return h.brief }

func (h *itemHandler) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	header := w.Header()
	for k, v := range h.header {
		header[k] = v
	}
	_, _ = w.Write(h.body)
}

// BenchmarkDoor asks for an item, without TLS, with the lane and by net/http alone. The client's processor time is in both.
func BenchmarkDoor(b *testing.B) {
	for _, way := range []struct {
		name  string
		brief bool
		most  float64
	}{{"Lane", true, 20}, {"Server", false, 60}} {
		b.Run(way.name, func(b *testing.B) {
			h := &itemHandler{brief: way.brief, header: http.Header{}, body: make([]byte, 1024)}
			for i := range 20 {
				h.header["X-Ms-"+strconv.Itoa(i)] = []string{"value"}
			}
			h.header["Content-Type"], h.header["Content-Length"] = []string{"application/json"}, []string{"1024"}
			addr, _ := door(b, h)
			c, err := net.Dial("tcp", addr)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			request := []byte("GET /dbs/d/colls/c/docs/1 HTTP/1.1\r\nHost: a.documents.azure.com\r\nAuthorization: " + fmt.Sprintf("%088d", 1) +
				"\r\nX-Ms-Date: Fri, 27 Nov 2026 12:00:00 GMT\r\nX-Ms-Version: 2020-07-15\r\nX-Ms-Documentdb-Partitionkey: [\"p\"]\r\nContent-Type: application/json\r\n\r\n")
			r := bufio.NewReader(c)
			bar := benchbar.Start(b)
			for b.Loop() {
				if _, err := c.Write(request); err != nil {
					b.Fatal(err)
				}
				length := 0
				for {
					line, err := r.ReadSlice('\n')
					if err != nil {
						b.Fatal(err)
					}
					if len(line) == 2 {
						break
					}
					if string(line) == "Content-Length: 1024\r\n" {
						length = 1024
					}
				}
				if n, err := io.CopyN(io.Discard, r, int64(length)); n != 1024 {
					b.Fatal(n, err)
				}
			}
			bar.Allocs(way.most)
		})
	}
}
