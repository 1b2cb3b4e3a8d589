package wire

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func testTree(t testing.TB) *tree {
	t.Helper()
	tr := &tree{}
	for _, p := range []string{
		"/", "/secrets", "/secrets/{name}/{version?}", "/secrets/{name}/versions", "/a/{x}/c", "/a/b/{y}", "/rest/{path*}", "/rest/{one}/x",
		"/{scope*}/providers/M.Auth/locks/{id}", "/{scope*}/providers/{ns}/{type}/{id}", "/subs/{s}/providers/{ns}/{type}/{id}",
	} {
		if err := tr.add(&Route{Host: HostVault, Method: "GET", Pattern: p}); err != nil {
			t.Fatal(err)
		}
	}
	return tr
}

// FuzzMatch: no path makes the tree panic; what it finds is what a slow reading of each pattern says, and the same in another casing and with
// slashes doubled.
func FuzzMatch(f *testing.F) {
	for _, s := range []string{"/", "//secrets/a%2fb//", "/Secrets/x/Versions", "/a/b/c", "/rest/a/x", "/x/y/providers/m.auth/LOCKS/1", "/subs/1/providers/a/b/%zz", "/%61/b/c", "/rest/%"} {
		f.Add(s)
	}
	tr := testTree(f)
	f.Fuzz(func(t *testing.T, path string) {
		segs := splitPath(path, nil)
		e := tr.find("GET", segs)
		var all []*entry
		tr.root.visit(segs, 0, func(es []*entry) { all = append(all, es...) })
		all = append(all, tr.scoped...)
		matched := slices.DeleteFunc(all, func(e *entry) bool { return !slowMatch(e, segs) })
		if (e == nil) != (len(matched) == 0) || e != nil && !slices.Contains(matched, e) {
			t.Fatalf("%q: found %v, but %d patterns match", path, e, len(matched))
		}
		if again := tr.find("GET", splitPath("/"+strings.ReplaceAll(path, "/", "//")+"/", nil)); again != e {
			t.Fatalf("%q: doubled slashes lead to another route", path)
		}
		if (tr.allowed(segs) == nil) != (e == nil) {
			t.Fatalf("%q: allowed methods disagree with the route found", path)
		}
		if e == nil {
			return
		}
		params, ok := e.params(segs, nil)
		bad := slices.ContainsFunc(segs, func(s string) bool { _, err := url.PathUnescape(s); return err != nil })
		if !ok && !bad {
			t.Fatalf("%q: parameters refused", path)
		}
		for _, p := range params {
			if strings.Contains(p.Name, "{") {
				t.Fatalf("%q: parameter %v", path, p)
			}
		}
	})
}

// slowMatch reads a pattern from left to right with net/url's decoding.
func slowMatch(e *entry, segs []string) bool {
	free := len(segs) - len(e.segs) + 1 // segments for the multi-segment parameter
	at := 0
	for _, s := range e.segs {
		if s.kind == segMany {
			if free < 0 {
				return false
			}
			at += free
			continue
		}
		if at >= len(segs) {
			return false
		}
		v, err := url.PathUnescape(segs[at])
		if s.kind == segLiteral && (err != nil || !strings.EqualFold(ascii(v), s.text)) {
			return false
		}
		at++
	}
	return at == len(segs)
}

// ascii keeps EqualFold from folding letters beyond ASCII, as the tree doesn't either.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r > 0x7f {
			return '?'
		}
		return r
	}, s)
}

// FuzzQuery: parseQuery agrees with net/url wherever that accepts the text.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"api%2Dversion=7.4", "a=1&a=2&&b", "x=a+b%20c&=&%=1", "q=%E4%zz", "a;b=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, ok := parseQuery(raw, nil)
		if strings.Contains(raw, ";") { // net/url refuses semicolons, ARM's clients don't mean them as separators
			return
		}
		want, err := url.ParseQuery(raw)
		if (err == nil) != ok {
			t.Fatalf("%q: accepted %v, net/url says %v", raw, ok, err)
		}
		if !ok {
			return
		}
		values := url.Values{}
		for _, p := range got {
			values.Add(p.Name, p.Value)
		}
		if diff := cmp.Diff(want, values); diff != "" {
			t.Fatalf("%q: %s", raw, diff)
		}
	})
}

func TestWellFormedVersion(t *testing.T) {
	t.Parallel()
	for s, want := range map[string][2]bool{ // ARM, vault
		"2015-04-08":                   {true, true},
		"2018-08-31-preview":           {true, true},
		"2018-08-31-PREVIEW":           {true, true},
		"2018-08-31-alpha.1":           {true, true},
		"7.4":                          {false, true},
		"7.6-preview.1":                {false, true},
		"7":                            {false, false},
		"7.":                           {false, false},
		".4":                           {false, false},
		"7.4.1":                        {false, false},
		"2018-8-31":                    {false, false},
		"2018-00-01":                   {false, false},
		"2018-01-32":                   {false, false},
		"2018-01-01-":                  {false, false},
		"2018-01-01x":                  {false, false},
		"2018-01-01-x\r\n":             {false, false},
		"":                             {false, false},
		"2018-01-01" + "-" + manyX(40): {false, false},
	} {
		got := [2]bool{wellFormedVersion(s, HostARM), wellFormedVersion(s, HostVault)}
		if got != want {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	}
}

func manyX(n int) string { return strings.Repeat("x", n) }

func BenchmarkFind(b *testing.B) {
	tr := testTree(b)
	b.ReportAllocs()
	for b.Loop() {
		var room [24]string
		if tr.find("GET", splitPath("/Secrets/my-secret/", room[:0])) == nil {
			b.Fatal("not found")
		}
	}
}
