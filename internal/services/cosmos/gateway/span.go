package gateway

import (
	"context"
	"encoding/hex"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
)

// spot is where a list over several ranges stands: everything below the EPK at is done; above it, each stretch of EPKs has a key that its ranges are
// read on after. A stretch is a range of the time when it was read; one that has been split since is read on in all its children, one that has been
// merged since is read on in its part of the merged range.
//
// As text it is the key in the first stretch, and, unless that is the only one, "@", at, "-", the stretch's end, and for each further stretch
// ",", its end, "=", its key.
type spot struct {
	at        string
	stretches []stretch // by max
}

type stretch struct{ max, after string }

func parseSpot(text string) (spot, error) {
	bad := invalid("Invalid Continuation Token: it was not given out for this request.")
	after, rest, several := strings.Cut(text, "@")
	if strings.Contains(after, ",") {
		return spot{}, bad // no key has one; further stretches are told apart by it
	}
	if !several {
		return spot{stretches: []stretch{{pkey.MaxEPK, after}}}, nil
	}
	first, more, _ := strings.Cut(rest, ",")
	at, end, ok := strings.Cut(first, "-")
	if !ok || !isHex(at) || !isHex(end) {
		return spot{}, bad
	}
	p := spot{at: at, stretches: []stretch{{end, after}}}
	for more != "" {
		var one string
		one, more, _ = strings.Cut(more, ",")
		end, after, ok := strings.Cut(one, "=")
		if !ok || !isHex(end) || end <= p.stretches[len(p.stretches)-1].max || strings.Contains(after, "@") { // no key has that either
			return spot{}, bad
		}
		p.stretches = append(p.stretches, stretch{end, after})
	}
	return p, nil
}

func isHex(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil
}

// sections are what is left to be read of the ranges.
func (p *spot) sections(ranges []items.Range, sel items.Selection) []section {
	cuts := make([]string, len(p.stretches))
	for i, s := range p.stretches {
		cuts[i] = s.max
	}
	return sections(ranges, sel, p.at, cuts)
}

// begin is the key that a section is to be read on after.
func (p *spot) begin(r *section) (after string) {
	for _, s := range p.stretches {
		if s.max > r.Min {
			return s.after
		}
	}
	return ""
}

// suffix is what follows a key of the section in a spot's text, when of the ranges only this section is read up to there.
func (p *spot) suffix(r *section, ranges int) string {
	if ranges == 1 && r.whole {
		return ""
	}
	var b strings.Builder
	b.WriteString("@" + r.Min + "-" + r.Max)
	for _, s := range p.stretches {
		if s.max > r.Max && s.after != "" {
			b.WriteString("," + s.max + "=" + s.after)
		}
	}
	return b.String()
}

// spanPage is a part of a list over several ranges.
type spanPage struct {
	rows []items.Row
	next string // spot after the last row; "" at the end
}

// list reads on in the ranges after a spot.
func (g *Gateway) list(ctx context.Context, ranges []items.Range, sel items.Selection, after string, rows, size int) (spanPage, error) {
	at, err := parseSpot(after)
	if err != nil {
		return spanPage{}, err
	}
	var out spanPage
	for _, s := range at.sections(ranges, sel) {
		if len(out.rows) >= rows || size <= 0 {
			return out, nil // next tells where
		}
		page, err := g.Items.List(ctx, s.Range, s.sel, at.begin(&s), rows-len(out.rows), size)
		if err != nil {
			return spanPage{}, err
		}
		for _, row := range page.Rows {
			size -= len(row.Text)
		}
		out.rows = append(out.rows, page.Rows...)
		if n := len(page.Rows); n > 0 {
			out.next = page.Rows[n-1].Key + at.suffix(&s, len(ranges))
		}
		if page.More {
			return out, nil
		}
	}
	out.next = ""
	return out, nil
}
