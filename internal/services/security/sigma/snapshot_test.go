package sigma

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// snapshotSets are correlations of each type, those that others build on among them.
func snapshotSets() map[string]string {
	return map[string]string{
		"event_count": `name: cor
correlation: {type: event_count, rules: [a], group-by: [User], timespan: 60s, condition: {gte: 3}}
`,
		"event_count at the end": `name: cor
correlation: {type: event_count, rules: [a], group-by: [User], timespan: 60s, condition: {lt: 3}}
`,
		"value_count": `name: cor
correlation: {type: value_count, rules: [a], group-by: [User], timespan: 60s, condition: {gte: 3, field: Other}}
`,
		"value_count at the end": `name: cor
correlation: {type: value_count, rules: [a], group-by: [User], timespan: 60s, condition: {eq: 2, field: Other}}
`,
		"temporal": `name: cor
correlation: {type: temporal, rules: [a, b, c], group-by: [User], timespan: 60s}
`,
		"temporal_ordered": `name: cor
correlation: {type: temporal_ordered, rules: [a, b, c], group-by: [User], timespan: 60s}
`,
		"value_sum": `name: cor
correlation: {type: value_sum, rules: [a], group-by: [User], timespan: 60s, condition: {gte: 100, field: Port}}
`,
		"value_avg": `name: cor
correlation: {type: value_avg, rules: [a], group-by: [User], timespan: 60s, condition: {gt: 30, field: Port}}
`,
		"value_percentile": `name: cor
correlation: {type: value_percentile, rules: [a], group-by: [User], timespan: 60s, condition: {gt: 30, field: Port, percentile: 90}}
`,
	}
}

func compiled(t testing.TB, correlations string) *Set {
	t.Helper()
	s, problems := compileText(t, correlated+correlations, Limits{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return s
}

// TestSnapshot: a Correlator that goes on from a snapshot at any place tells what one tells that never stopped.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	for name, text := range snapshotSets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := compiled(t, text)
			rnd := rand.New(rand.NewPCG(3, 4))
			fired := 0
			for range 30 {
				var steps []string
				at := 0
				for range 40 {
					at += rnd.IntN(25)
					steps = append(steps, fmt.Sprintf("%d %c u%d o%d %d", max(0, at-rnd.IntN(10)), 'a'+rune(rnd.IntN(3)), rnd.IntN(3), rnd.IntN(3), rnd.IntN(60)))
				}
				steps = append(steps, fmt.Sprintf("%d !", at+300))
				whole := feed(t, NewCorrelator(set, CorrelatorLimits{}), strings.Join(steps, ";"))
				fired += len(whole)
				cut := 1 + rnd.IntN(len(steps)-1)
				first := NewCorrelator(set, CorrelatorLimits{})
				got := feed(t, first, strings.Join(steps[:cut], ";"))
				kept := first.Snapshot(1 << 20)
				second := NewCorrelator(set, CorrelatorLimits{})
				if err := second.Restore(kept); err != nil {
					t.Fatal(err)
				}
				if again := second.Snapshot(1 << 20); string(again) != string(kept) || first.entries != second.entries || first.Groups() != second.Groups() {
					t.Fatalf("what is restored is another:\n%s\n%s", kept, again)
				}
				got = append(got, feed(t, second, strings.Join(steps[cut:], ";"))...)
				if !slices.Equal(got, whole) {
					t.Fatalf("cut behind %d of %q:\n%q, want\n%q\n%s", cut, steps, got, whole, kept)
				}
			}
			if fired == 0 {
				t.Error("nothing ever fired")
			}
		})
	}
}

// TestSnapshot_OtherSet: what means something else is forgotten, and what is the same is not; there is no more than there is room for.
func TestSnapshot_OtherSet(t *testing.T) {
	t.Parallel()
	const text = `name: cor
correlation: {type: event_count, rules: [a], group-by: [User], timespan: 60s, condition: {gte: 3}}
`
	set := compiled(t, text)
	c := NewCorrelator(set, CorrelatorLimits{})
	feed(t, c, "1 a u1;2 a u1;3 a u2;4 a u2;5 a u3")
	b := c.Snapshot(1 << 20)
	for other, want := range map[string]int{
		text: 3, strings.Replace(text, "gte: 3", "gte: 4", 1): 0, strings.Replace(text, "60s", "61s", 1): 0, strings.Replace(text, "rules: [a]", "rules: [a, b]", 1): 0,
		strings.Replace(text, "User", "Other", 1): 0, strings.Replace(text, "name: cor", "level: high\nname: cor", 1): 3,
	} {
		d := NewCorrelator(compiled(t, other), CorrelatorLimits{})
		if err := d.Restore(b); err != nil || d.Groups() != want {
			t.Errorf("%s\nremembers %d groups, %v, want %d", other, d.Groups(), err, want)
		}
	}
	d := NewCorrelator(set, CorrelatorLimits{Groups: 2})
	if err := d.Restore(b); err != nil || d.Groups() != 2 {
		t.Errorf("%d groups, %v, want 2", d.Groups(), err)
	}
	if got, want := feed(t, d, "6 a u2"), 1; len(got) != want { // the one used last is kept
		t.Errorf("fires %q", got)
	}
	small := c.Snapshot(500)
	e := NewCorrelator(set, CorrelatorLimits{})
	if err := e.Restore(small); err != nil || e.Groups() == 0 || e.Groups() == 3 || len(small) > 600 {
		t.Errorf("of %d bytes %d groups are remembered, %v", len(small), e.Groups(), err)
	}
	if NewCorrelator(set, CorrelatorLimits{}).Snapshot(1000) != nil || e.Restore(nil) != nil || e.Restore([]byte("{")) == nil {
		t.Error("nothing, or nonsense, is taken for something")
	}
}

// FuzzRestore: whatever was stored, the Correlator goes on, within its limits.
func FuzzRestore(f *testing.F) {
	var all strings.Builder
	all.WriteString("name: none\ncorrelation: {type: event_count, rules: [a], timespan: 60s, condition: {gte: 3}}\n")
	n := 0
	for _, text := range snapshotSets() {
		n++
		fmt.Fprintf(&all, "---\ntitle: Cor\n%s", strings.Replace(text, "name: cor", fmt.Sprint("name: cor", n), 1))
	}
	set := compiled(f, all.String())
	c := NewCorrelator(set, CorrelatorLimits{})
	feed(f, c, "1 a u1 o1 5;2 a u1 o2 6;3 b u2 o1 7;4 a u2 o2 8")
	f.Add(c.Snapshot(1 << 20))
	for n := range set.chains {
		id := set.Correlations[set.chains[n].correlation].identity()
		f.Add(fmt.Appendf(nil, `{"g":[{"of":%q,"v":["dTE="],"f":1,"l":5,"c":3,"s":1,"y":2,"n":["eA=="],"e":[{"t":5,"b":1,"v":"eA==","n":1,"p":0},{"t":1,"p":2}]}]}`, id))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := NewCorrelator(set, CorrelatorLimits{Groups: 8, Entries: 64})
		if c.Restore(b) != nil {
			return
		}
		if c.Groups() > 8 || c.entries > 64 || c.entries < 0 {
			t.Errorf("%d groups, %d entries", c.Groups(), c.entries)
		}
		feed(t, c, "1 a u1 o1 5;2 b u1 o2 6;3 c u1 o1 7;900 !")
		entries := 0
		for _, g := range c.groups {
			entries += g.size()
		}
		if entries != c.entries {
			t.Errorf("%d entries, counted are %d", entries, c.entries)
		}
		c.Snapshot(1 << 16)
	})
}
