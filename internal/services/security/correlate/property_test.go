package correlate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
)

// partition are the sets of a Correlator, each as the names of its alerts.
func partition(x *Correlator) (out []string) {
	for s := range x.sets {
		var names []string
		for _, n := range s.members {
			names = append(names, n.name)
		}
		slices.Sort(names)
		out = append(out, strings.Join(names, " "))
	}
	slices.Sort(out)
	return out
}

// reference computes the partition from the definition: every pair is judged once all alerts are known.
func reference(all []*alerts.Alert) (out []string) {
	x := New(DefaultParams())
	var nodes []*node
	for _, a := range all {
		n := newNode(a)
		nodes = append(nodes, n)
		x.list(n)
	}
	group := make([]int, len(nodes))
	for i := range group {
		group[i] = i
	}
	for i := range nodes {
		for j := range i {
			if group[i] != group[j] && x.linked(nodes[i], nodes[j]) {
				from, to := group[i], group[j]
				for k := range group {
					if group[k] == from {
						group[k] = to
					}
				}
			}
		}
	}
	sets := map[int][]string{}
	for i, n := range nodes {
		sets[group[i]] = append(sets[group[i]], n.name)
	}
	for _, names := range sets {
		slices.Sort(names)
		out = append(out, strings.Join(names, " "))
	}
	slices.Sort(out)
	return out
}

// random makes alerts out of few things, so that they have much in common.
func random(next func(n int) int, n int) []*alerts.Alert {
	pick := func(of ...string) string { return of[next(len(of))] }
	var all []*alerts.Alert
	for i := range n {
		m := made{
			machine: pick("a", "b", "c"), account: pick("root", "alice", "bob", "cassandra", "carol", "dave", ""), from: pick("203.0.113.7", "203.0.114.9", "198.51.100.1", "198.51.100.1", ""),
			after: time.Duration(next(3*24*60)) * time.Minute,
		}
		if next(2) == 0 {
			m.session = fmt.Sprintf("session %d", next(8))
		}
		if next(3) == 0 {
			m.files = []string{"/tmp/" + pick("x", "kit", "go", "tool"), "/tmp/" + pick("y", "scan", "run.sh")}
		}
		if next(4) == 0 {
			m.domains = []string{pick("evil.example", "odd.example", "github.com")}
		}
		if next(6) == 0 {
			m.kind, m.severity, m.intent, m.prefixes = "BH_OutgoingPortScan", detect.Medium, "Discovery", []string{pick("10.1", "10.2")}
		}
		all = append(all, m.alert(i))
	}
	return all
}

// TestOrder: in whatever order alerts come, and by however many calls, the same are together: those that the definition puts together. So for the incidents, but for names.
func TestOrder(t *testing.T) {
	t.Parallel()
	joined := 0
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		all := random(rnd.IntN, 5+rnd.IntN(60))
		want := reference(all)
		joined += len(all) - len(want)
		for range 4 {
			rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			x := New(DefaultParams())
			in := map[string]string{}
			alive := map[string]bool{}
			for rest := all; len(rest) > 0; {
				n := min(len(rest), 1+rnd.IntN(4))
				ch := x.Add(began, rest[:n]...)
				rest = rest[n:]
				for _, m := range ch.Members {
					in[m.Alert] = m.Incident
				}
				for _, a := range ch.Incidents {
					alive[a.Name] = true
				}
				for _, m := range ch.Merged {
					if !alive[m.From] || !alive[m.Into] {
						t.Fatalf("seed %d: %v, of which one is unknown", seed, m)
					}
					delete(alive, m.From)
				}
				for _, name := range ch.Ended {
					if !alive[name] {
						t.Fatalf("seed %d: %s ended, which is unknown", seed, name)
					}
					delete(alive, name)
				}
			}
			if diff := cmp.Diff(want, partition(x)); diff != "" {
				t.Fatalf("seed %d: sets by definition (-) and as found (+):\n%s", seed, diff)
			}
			// What the changes told adds up to what is there.
			told := map[string]bool{}
			for s := range x.sets {
				if (s.name != "") != s.qualifies(x.p) {
					t.Fatalf("seed %d: the set %q qualifies: %t", seed, s.name, s.qualifies(x.p))
				}
				if s.name != "" && told[s.name] {
					t.Fatalf("seed %d: two incidents %s", seed, s.name)
				}
				told[s.name] = true
				if s.name != "" && !alive[s.name] {
					t.Fatalf("seed %d: incident %s was not told", seed, s.name)
				}
				for _, n := range s.members {
					if in[n.name] != s.name {
						t.Fatalf("seed %d: alert %s is in %q, told was %q", seed, n.name, s.name, in[n.name])
					}
				}
			}
			for name := range alive {
				if !told[name] {
					t.Fatalf("seed %d: incident %s is no more, and that was not told", seed, name)
				}
			}
		}
	}
	if joined < 300 {
		t.Errorf("only %d alerts were joined: the test tests nothing", joined)
	}
}

// TestUpdates: an alert that changes, by growing or otherwise, ends where it would be had it come so.
func TestUpdates(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		first := random(rnd.IntN, 30)
		last := slices.Clone(first)
		x := New(DefaultParams())
		x.Add(began, first...)
		for range 20 {
			i := rnd.IntN(len(last))
			a := *random(rnd.IntN, 30)[rnd.IntN(30)] // something else by the same name
			if rnd.IntN(2) == 0 {                    // or the same, and more
				b := *last[i]
				b.Entities, b.Edges = slices.Clone(b.Entities), slices.Clone(b.Edges)
				b.Merge(&a)
				b.Machine = last[i].Machine
				a = b
			}
			a.Name = first[i].Name
			last[i] = &a
			x.Add(began, &a)
		}
		if diff := cmp.Diff(reference(last), partition(x)); diff != "" {
			t.Fatalf("seed %d: sets by definition (-) and as found (+):\n%s", seed, diff)
		}
		for k, e := range x.keys {
			if len(e.members) == 0 {
				t.Fatalf("nothing has %x, and it is kept", k)
			}
		}
	}
}

// TestRestore: after a restart all is as it was: names, sets, and what the next alert does.
func TestRestore(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		all := random(rnd.IntN, 50)
		kept := map[string]*alerts.Alert{}
		x := New(DefaultParams())
		for _, a := range all[:40] {
			kept[a.Name] = a
			Apply(x.Add(began, a), func(name string) *alerts.Alert { return kept[name] }, func(a *alerts.Alert) { kept[a.Name] = a })
		}
		var records []*alerts.Alert
		for _, a := range kept {
			records = append(records, a)
		}
		y := New(DefaultParams())
		if ch := y.Restore(records); len(ch.Incidents)+len(ch.Members)+len(ch.Merged)+len(ch.Ended) != 0 {
			t.Fatalf("seed %d: to be put right after a clean restart: %+v", seed, ch)
		}
		for _, a := range all[40:] {
			if diff := cmp.Diff(x.Add(began, a), y.Add(began, a)); diff != "" {
				t.Fatalf("seed %d: without (-) and with (+) a restart:\n%s", seed, diff)
			}
		}
	}
}

// FuzzAdd: whatever alerts look like, nothing panics, and the sets are those of the definition.
func FuzzAdd(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyz"))
	f.Add([]byte{0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 255, 254, 253})
	f.Fuzz(func(t *testing.T, b []byte) {
		next := func(n int) int {
			if len(b) == 0 {
				return 0
			}
			v := int(b[0])
			if n > 256 && len(b) > 1 {
				v = v<<8 | int(b[1])
				b = b[1:]
			}
			b = b[1:]
			return v % n
		}
		all := random(next, 1+len(b)/6%40)
		for _, a := range all {
			if next(5) == 0 { // broken ones
				a.Entities, a.Edges, a.Evidence = a.Entities[:next(len(a.Entities)+1)], a.Edges[:next(len(a.Edges)+1)], nil
				a.Intent, a.Severity = "Odd, ,Unknown", "Odd"
			}
		}
		x := New(DefaultParams())
		for i, a := range all {
			for _, in := range x.Add(began.Add(time.Duration(i)*time.Minute), a).Incidents {
				if len(in.Members) < 2 || in.Name == "" || in.Why == "" {
					t.Errorf("%+v", in)
				}
			}
		}
		if diff := cmp.Diff(reference(all), partition(x)); diff != "" {
			t.Error(diff)
		}
	})
}
