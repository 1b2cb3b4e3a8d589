package masterkey

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
)

// The documented example of the REST reference, and azcosmos's own.
const exampleKey = "dsZQi3KtZmCv1ljt3VNWNm7sQUF1y5rJfC6kv5JiwvW0EndXdDku/dkKBp8/ufDToSxLzR4y+O/0H/t4bQtVNw=="

func mustKey(t testing.TB, text string) *Key {
	t.Helper()
	k, err := NewKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSignature_Vectors(t *testing.T) {
	t.Parallel()
	const emulator = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
	for _, tt := range []struct {
		name, key string
		r         Request
		want      string
	}{
		{
			"documentation", exampleKey,
			Request{"GET", "dbs", "dbs/ToDoList", "Thu, 27 Apr 2017 00:51:12 GMT", ""},
			"c09PEVJrgp2uQRkr934kFbTqhByc7TVr3OHyqlu+c+c=",
		},
		{"date header", emulator, Request{"get", "DBS", "", "", "Thu, 27 Apr 2017 00:51:12 GMT"}, ""},
	} {
		k := mustKey(t, tt.key)
		text := tt.r.AppendText(nil)
		got := k.Sign(text)
		if tt.want != "" && got != tt.want {
			t.Errorf("%s: got %s, want %s for %q", tt.name, got, tt.want, text)
		}
		if !k.Verify(got, text) {
			t.Errorf("%s: own signature refused", tt.name)
		}
		for _, bad := range []string{"", "x", got[:len(got)-1], got[1:], strings.Replace(got, got[:1], string(got[0]^1), 1), got + "=", got + "AAAA"} {
			if k.Verify(bad, text) {
				t.Errorf("%s: accepted %q", tt.name, bad)
			}
		}
		if k.Verify(got, append(text, 'x')) {
			t.Errorf("%s: accepted for another text", tt.name)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		r    Request
		want string
	}{
		{Request{"POST", "docs", "dbs/A/colls/B", "Mon, 01 Jan 2024 00:00:00 GMT", "ignored"}, "post\ndocs\ndbs/A/colls/B\nmon, 01 jan 2024 00:00:00 gmt\n\n"},
		{Request{"GET", "", "", "", "Mon, 01 Jan 2024 00:00:00 GMT"}, "get\n\n\n\nmon, 01 jan 2024 00:00:00 gmt\n"},
	} {
		if got := string(tt.r.AppendText(nil)); got != tt.want {
			t.Errorf("%+v: got %q, want %q", tt.r, got, tt.want)
		}
	}
}

func TestParseHeader(t *testing.T) {
	t.Parallel()
	want := Header{Master, "1.0", "c09PEVJrgp2uQRkr934kFbTqhByc7TVr3OHyqlu+c+c="}
	plain := "type=master&ver=1.0&sig=" + want.Signature
	escaped := url.QueryEscape(plain)
	lower := strings.NewReplacer("%3D", "%3d", "%2B", "%2b", "%2F", "%2f").Replace(escaped)
	for _, raw := range []string{plain, escaped, lower, strings.Replace(escaped, "master", "Master", 1)} {
		got, err := ParseHeader(raw)
		if err != nil || got.Kind != want.Kind || got.Version != want.Version || got.Signature != want.Signature {
			t.Errorf("%q: got %d %s %s, %v", raw, got.Kind, got.Version, got.Signature, err)
		}
	}
	if got, err := ParseHeader("type%3Daad%26ver%3D1.0%26sig%3Da.b.c"); err != nil || got.Kind != AAD || got.Signature != "a.b.c" {
		t.Errorf("aad: %v %v", got.Kind, err)
	}
	if got, err := ParseHeader("type=resource&ver=1&sig=x;y;z&more;"); err != nil || got.Kind != Resource || got.Signature != "x;y;z&more;" {
		t.Errorf("resource: %v %v", got.Kind, err)
	}
	for _, raw := range []string{
		"", "Bearer abc", "type=master", "type=master&ver=1.0", "type=master&ver=1.0&sig=", "type=other&ver=1.0&sig=x", "%zz", "type%3", "ver=1.0&type=master&sig=x",
		strings.Repeat("a", maxHeader+1),
	} {
		if _, err := ParseHeader(raw); err == nil {
			t.Errorf("%q accepted", raw)
		}
	}
}

func TestRedacted(t *testing.T) {
	t.Parallel()
	k, h := mustKey(t, exampleKey), Header{Master, "1.0", "SIGNATURE"}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "key", k, "header", h)
	fmt.Fprintf(&b, "%v %s %+v", k, k, h)
	if s := b.String(); strings.Contains(s, "SIGNATURE") || strings.Contains(s, exampleKey[:10]) {
		t.Errorf("printed a credential: %s", s)
	}
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	a, b := Generate(), Generate()
	if a == b {
		t.Error("two keys are equal")
	}
	mustKey(t, a)
	for _, bad := range []string{"", "abc", a[4:], a + "AAAA", "!" + a[1:]} {
		if _, err := NewKey(bad); err == nil || strings.Contains(err.Error(), a[5:20]) {
			t.Errorf("NewKey: %v", err)
		}
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add("type%3Dmaster%26ver%3D1.0%26sig%3Dc09PEVJrgp2u%2B")
	f.Add("type=resource&ver=1&sig=a;b;")
	k := mustKey(f, exampleKey)
	f.Fuzz(func(t *testing.T, raw string) {
		h, err := ParseHeader(raw)
		if err != nil {
			return
		}
		if h.Kind < Master || h.Kind > AAD || h.Signature == "" {
			t.Errorf("%q: %d %q", raw, h.Kind, h.Signature)
		}
		if h.Kind == Master && k.Verify(h.Signature, []byte("get\n\n\n\n\n")) {
			t.Errorf("%q forged a signature", raw)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	k := mustKey(b, exampleKey)
	text := Request{"GET", "docs", "dbs/db/colls/c/docs/0123456789", "Thu, 27 Apr 2017 00:51:12 GMT", ""}.AppendText(nil)
	sig := k.Sign(text)
	b.ReportAllocs()
	for b.Loop() {
		if !k.Verify(sig, text) {
			b.Fatal("refused")
		}
	}
}
