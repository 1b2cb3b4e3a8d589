package gateway

import (
	"slices"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
)

// section is a stretch of EPKs of one range that is read on from one place. A range is one section, unless it came from a merge and its parents had been read
// up to different places.
type section struct {
	items.Range // with the bounds of the section
	sel         items.Selection
	of          int  // which of the ranges
	whole       bool // it is all of its range that is to be read
}

// sections cuts the ranges at the places in cuts that lie inside of them, and leaves out what is below from. They are in order of their EPKs.
func sections(ranges []items.Range, sel items.Selection, from string, cuts []string) []section {
	out := make([]section, 0, len(ranges))
	for i, r := range ranges {
		low := r.Min
		for _, high := range append(inside(r, cuts), r.Max) {
			s := section{Range: r, sel: sel, of: i, whole: low == r.Min && high == r.Max && from <= r.Min}
			s.Min, s.Max = max(low, from), high
			low = high
			if s.Min >= s.Max {
				continue // has been read
			}
			if !s.whole {
				if !touches(sel, s.Min, s.Max) && sel.Bounded {
					continue
				}
				s.sel = narrow(sel, s.Min, s.Max)
			}
			out = append(out, s)
		}
	}
	return out
}

// inside are the places that lie inside of a range, in order.
func inside(r items.Range, cuts []string) (out []string) {
	for _, c := range cuts {
		if c > r.Min && c < r.Max && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	slices.Sort(out)
	return out
}

// narrow is the part of a selection that is in [low, high). It keeps the order that the selection is read in.
func narrow(sel items.Selection, low, high string) items.Selection {
	switch {
	case !sel.Bounded:
		return items.Selection{Low: low, High: high, Bounded: true, ByOrder: true}
	case sel.Low == sel.High: // one logical partition
		return sel
	}
	sel.Low, sel.High = max(sel.Low, low), min(sel.High, high)
	return sel
}
