package sigma

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dataFolder is where SigmaHQ's Linux rules are; no copy of them is part of the project.
func dataFolder(t testing.TB) string {
	root := os.Getenv("BULKHEAD_TESTDATA")
	if root == "" {
		root = "../../../../../shared/data"
	}
	dir := filepath.Join(root, "security", "sigma")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no rules of SigmaHQ: %v", err)
	}
	return dir
}

// compileHQ loads and compiles them and tells what can't be expressed.
func compileHQ(t testing.TB) *Set {
	c, problems, err := Load(os.DirFS(dataFolder(t)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, more, err := Compile(LinuxSchema(), c, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	problems = append(problems, more...)
	t.Logf("%d rules can be expressed, %d can't", len(s.Rules), len(problems))
	for _, p := range problems {
		t.Logf("can't be expressed: %v", p)
	}
	if len(s.Rules)+len(problems) < 200 {
		t.Errorf("%d rules and %d problems; a rule has gone lost", len(s.Rules), len(problems))
	}
	return s
}

// TestSigmaHQ builds for each rule an event that it matches, by solving its condition, and events like it that it doesn't match.
func TestSigmaHQ(t *testing.T) {
	t.Parallel()
	s := compileHQ(t)
	ref := newReference(s.schema)
	var w Scratch
	perSource := make([]int, len(s.sources))
	for n, r := range s.Rules {
		for i := range s.schema.Sources {
			src := &s.schema.Sources[i]
			if !r.LogSource.covers(src.LogSource) || !slices.ContainsFunc(s.sources[i].programs, func(p program) bool { return p.rule == int32(n) }) {
				continue
			}
			perSource[i]++
			values := positive(ref, r, src)
			if values == nil {
				t.Errorf("%s (%s): found no event of %s that it matches", r.Title, r.File, src.LogSource)
				continue
			}
			if got := s.Match(&w, i, values); !slices.Contains(got, int32(n)) {
				t.Errorf("%s (%s): doesn't match %q of %s", r.Title, r.File, values, src.LogSource)
			}
			if !mutated(t, s, ref, n, i, values) {
				t.Errorf("%s (%s): still matches whichever field of %q is changed", r.Title, r.File, values)
			}
		}
	}
	t.Logf("rules by source: %v", perSource)
}

func positive(ref *reference, r *Rule, src *Source) [][]byte {
	for _, wants := range ways(r.detection, true) {
		if values := event(ref.schema, src, wants); ref.rule(r.detection, src, values) {
			return values
		}
	}
	return nil
}

// mutated changes one field at a time and reports whether any change made the rule not match. The engine must agree with the reference each time.
func mutated(t *testing.T, s *Set, ref *reference, rule, source int, values [][]byte) (found bool) {
	var w Scratch
	src := &s.schema.Sources[source]
	for f, v := range values {
		if v == nil {
			continue
		}
		for _, other := range [][]byte{nil, {}, []byte("~q~"), append(slices.Clone(v), '~'), append([]byte{'~'}, v...), bytes.ToUpper(v)} {
			changed := slices.Clone(values)
			changed[f] = other
			want := ref.rule(s.Rules[rule].detection, src, changed)
			if got := slices.Contains(s.Match(&w, source, changed), int32(rule)); got != want {
				t.Errorf("%s: matches %q: %t; want %t", s.Rules[rule].Title, changed, got, want)
			}
			found = found || !want
		}
	}
	return found
}

// TestSameAsReference compares the engine's answers with those of plain evaluation, for all rules and many events made of pieces of what the rules look for.
func TestSameAsReference(t *testing.T) {
	t.Parallel()
	s := compileHQ(t)
	sameAsReference(t, s, 1500)
}

func sameAsReference(t *testing.T, s *Set, events int) {
	ref := newReference(s.schema)
	rng := rand.New(rand.NewPCG(1, 2))
	gen := newGenerator(rng, s)
	var w Scratch
	matches, shown := 0, 0
	for range events {
		i := rng.IntN(len(s.sources))
		if rng.IntN(2) == 0 {
			i = SourceProcessCreation
		}
		src := &s.schema.Sources[i]
		values := gen.event(i)
		got := slices.Clone(s.Match(&w, i, values))
		var want []int32
		for n, r := range s.Rules {
			if r.LogSource.covers(src.LogSource) && ref.rule(r.detection, src, values) {
				want = append(want, int32(n))
			}
		}
		matches += len(want)
		if !slices.Equal(got, want) && shown < 10 {
			shown++
			t.Errorf("%s %q: rules %v; want %v", src.LogSource, values, titles(s, got), titles(s, want))
		}
	}
	t.Logf("%d matches in %d events", matches, events)
	if matches < events/20 {
		t.Errorf("only %d matches in %d events: they say too little", matches, events)
	}
}

func titles(s *Set, rules []int32) string {
	var out []string
	for _, n := range rules {
		out = append(out, fmt.Sprintf("%d %s", n, s.Rules[n].Title))
	}
	return strings.Join(out, ", ")
}

// generator makes events of pieces that the rules look for, so that many nearly match.
type generator struct {
	rng    *rand.Rand
	schema *Schema
	pieces map[string][]string // by field
	all    []string
	events [][][]byte // positives by rule
	of     []int      // their sources
}

func newGenerator(rng *rand.Rand, s *Set) *generator {
	g := &generator{rng: rng, schema: s.schema, pieces: map[string][]string{}}
	ref := newReference(s.schema)
	for _, r := range s.Rules {
		r.detection.walk(func(t *test) {
			for _, p := range t.patterns {
				g.pieces[t.field] = append(g.pieces[t.field], example(p))
				g.all = append(g.all, example(p))
			}
		})
		for i := range s.schema.Sources {
			if src := &s.schema.Sources[i]; r.LogSource.covers(src.LogSource) {
				if v := positive(ref, r, src); v != nil {
					g.events = append(g.events, v)
					g.of = append(g.of, i)
				}
			}
		}
	}
	return g
}

func (g *generator) event(source int) [][]byte {
	src := &g.schema.Sources[source]
	values := make([][]byte, len(g.schema.Fields))
	if n := g.rng.IntN(len(g.events)); g.rng.IntN(2) == 0 {
		for ; g.of[n] != source; n = (n + 1) % len(g.events) {
		}
		copy(values, g.events[n])
	}
	for _, f := range append([]int{src.Message}, src.Fields...) {
		if f < 0 || g.rng.IntN(3) == 0 || values[f] != nil && g.rng.IntN(4) != 0 {
			continue
		}
		var b []byte
		for range 1 + g.rng.IntN(3) {
			list := g.pieces[g.schema.Fields[f]]
			if len(list) == 0 || g.rng.IntN(4) == 0 {
				list = g.all
			}
			b = append(b, list[g.rng.IntN(len(list))]...)
			b = append(b, []string{"", " ", "/", "é", "K", "\xff"}[g.rng.IntN(6)]...)
		}
		if g.rng.IntN(3) == 0 {
			b = bytes.ToUpper(b)
		}
		values[f] = b
	}
	return values
}
