package correlate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
)

const (
	maxStory = 12_000 // bytes
	perPhase = 6      // alerts told of one phase
)

// story tells an incident in words: who, where, when, and what was done in each phase.
func (c *Correlator) story(s *set) string {
	b := &strings.Builder{}
	first, last := s.members[0].first, s.members[0].last
	accounts, sources, sessions := s.named(alerts.Account), s.sources(), s.named(alerts.Session)
	for _, n := range s.members {
		last = later(last, n.last)
	}
	fmt.Fprintf(b, "%d alerts on %s between %s and %s UTC tell of one intruder", len(s.members), listed(s.hosts(), 5), stamp(first), stampAfter(first, last))
	if len(sessions) > 1 {
		fmt.Fprintf(b, " in %d sessions", len(sessions))
	}
	if len(accounts) > 0 {
		fmt.Fprintf(b, ", with the account %s", listed(accounts, 5))
	}
	if len(sources) > 0 {
		fmt.Fprintf(b, ", who came from %s", listed(sources, 5))
		if net := common(sources); net != "" {
			fmt.Fprintf(b, ", all of %s", net)
		}
	}
	b.WriteString(".")
	for _, t := range s.tacticsOf() {
		worst, more := s.worst(t)
		for i, n := range worst {
			if b.Len() > maxStory {
				more += len(worst) - i
				break
			}
			if i == 0 {
				fmt.Fprintf(b, "\n%s:", spaced(t))
			} else {
				b.WriteString(";")
			}
			fmt.Fprintf(b, " at %s", stampAfter(first, n.first))
			if len(s.hosts()) > 1 {
				fmt.Fprintf(b, " on %s", n.host)
			}
			fmt.Fprintf(b, ", %s", lowerFirst(n.title))
			if n.why != "" {
				fmt.Fprintf(b, " (%s)", n.why)
			}
		}
		if more > 0 {
			fmt.Fprintf(b, "; and %d more", more)
		}
		b.WriteString(".")
	}
	return b.String()
}

// worst are the alerts of a phase that are told, by time, and how many more there are.
func (s *set) worst(tactic string) (told []*node, more int) {
	for _, n := range s.members {
		if slices.Contains(n.tactics(), tactic) {
			told = append(told, n)
		}
	}
	slices.SortStableFunc(told, func(a, b *node) int { return b.severity.Rank() - a.severity.Rank() })
	more = max(0, len(told)-perPhase)
	told = told[:len(told)-more]
	slices.SortFunc(told, byTime)
	return told, more
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// stampAfter is a time told after another: without the day if it is the same.
func stampAfter(before, t time.Time) string {
	if before.UTC().Format(time.DateOnly) == t.UTC().Format(time.DateOnly) {
		return t.UTC().Format("15:04")
	}
	return stamp(t)
}

// spaced is a phase in words: "Initial access".
func spaced(tactic string) string {
	b := &strings.Builder{}
	for i, r := range tactic {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func lowerFirst(s string) string {
	if len(s) > 1 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'a' && s[1] <= 'z' {
		return string(s[0]+'a'-'A') + s[1:]
	}
	return s
}

// listed joins names: "a, b and c", or "a, b, c and 4 more".
func listed(names []string, most int) string {
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// named are the names of a kind of entity, in the order they came up. Sessions of two machines are two.
func (s *set) named(kind alerts.Kind) (out []string) {
	seen := map[string]bool{}
	for _, n := range s.members {
		for _, e := range n.entities {
			id := e.Name
			if kind == alerts.Session {
				id = e.ID
			}
			if e.Kind == kind && !seen[id] {
				seen[id] = true
				out = append(out, e.Name)
			}
		}
	}
	return out
}

// sources are the addresses that sessions and attempts came from.
func (s *set) sources() (out []string) {
	for _, n := range s.members {
		for _, e := range n.edges {
			if addr, ok := strings.CutPrefix(e.To, "ip:"); ok && (e.Kind == alerts.EdgeFrom || e.Kind == alerts.EdgeAttackedBy) && !slices.Contains(out, addr) {
				out = append(out, addr)
			}
		}
	}
	return out
}

// common is the network that several addresses have in common, "" if they don't.
func common(addrs []string) string {
	net := ""
	for _, text := range addrs {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return ""
		}
		if p := network(a.Unmap()).String(); net == "" {
			net = p
		} else if net != p {
			return ""
		}
	}
	if len(addrs) < 2 {
		return ""
	}
	return net
}
