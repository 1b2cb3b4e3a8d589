package index

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/benchbar"
)

// BenchmarkExtract works out the rows of a document of 1 KB with twelve indexed values.
func BenchmarkExtract(b *testing.B) {
	p, err := ParsePolicy(json.RawMessage(`{"indexingMode":"consistent","automatic":true,"includedPaths":[{"path":"/*"}],"excludedPaths":[]}`))
	if err != nil {
		b.Fatal(err)
	}
	text := []byte(`{"id":"1234567","pk":"a","name":"name 1234567","n":1234567,"mod":567,"tags":["a","b","c"],"address":{"street":"1 Main Street","city":"Redmond","zip":98052},"text":"` +
		strings.Repeat("x", 750) + `"}`)
	rows, err := p.Extract(text, 1_700_000_000)
	if err != nil || rows.Len() != 14 {
		b.Fatalf("%d rows, %v; want 14", rows.Len(), err)
	}
	b.ResetTimer()
	bar := benchbar.Start(b)
	for b.Loop() {
		if _, err := p.Extract(text, 1_700_000_000); err != nil {
			b.Fatal(err)
		}
	}
	bar.Allocs(4)
}
