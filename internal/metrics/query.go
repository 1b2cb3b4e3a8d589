package metrics

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxGrains bounds the cells of a line.
const maxGrains = int64(Retention/time.Minute) + minutesPerDay

// Query answers a chart: a Result for each metric that has series in the store, in the order of q.Names (or of the names). A metric that nothing was ever measured of is left
// out.
func (s *Store) Query(ctx context.Context, q Query) ([]Result, error) {
	grain := int64(q.Grain / time.Minute)
	from, to := minuteOf(q.From), minuteOf(q.To.Add(time.Minute-1))
	if grain <= 0 || q.Grain%time.Minute != 0 {
		return nil, fmt.Errorf("metrics: a grain of %s is none of whole minutes", q.Grain)
	}
	n := (to - from + grain - 1) / grain
	if n < 0 || n > maxGrains {
		return nil, fmt.Errorf("metrics: %d grains from %s to %s are none or too many", n, q.From, q.To)
	}
	names := q.Names
	if len(names) == 0 {
		names = []string{""}
	}
	var out []Result
	for _, name := range names {
		found := s.Select(Selector{Resource: q.Resource, Namespace: q.Namespace, Name: name, Dimensions: q.Filter})
		for len(found) > 0 {
			end := 1
			for end < len(found) && strings.EqualFold(found[end].Name, found[0].Name) && strings.EqualFold(found[end].Namespace, found[0].Namespace) {
				end++
			}
			res := Result{Namespace: found[0].Namespace, Name: found[0].Name}
			if err := s.lines(ctx, &q, &res, found[:end], from, from+n*grain, grain); err != nil {
				return nil, err
			}
			out, found = append(out, res), found[end:]
		}
	}
	return out, nil
}

// lines fills a result with the cells of series of one metric.
func (s *Store) lines(ctx context.Context, q *Query, res *Result, list []Selected, from, to, grain int64) error {
	byKey := map[string]int{}
	end := min(to, minuteOf(q.To.Add(time.Minute-1)))
	for _, sel := range list {
		dims := q.split(sel.Dimensions)
		key := lineKey(dims)
		i, ok := byKey[key]
		if !ok {
			i = len(res.Lines)
			byKey[key] = i
			res.Lines = append(res.Lines, Line{Dimensions: dims, Start: timeOf(from), Grain: q.Grain, Cells: make([]Cell, (to-from)/grain)})
		}
		cells := res.Lines[i].Cells
		if err := s.cells(ctx, sel.Ref, from, end, func(minute int64, c Cell) { cells[(minute-from)/grain].Merge(c) }); err != nil {
			return err
		}
	}
	if q.OrderBy != None || q.Top != 0 {
		res.Rank(q.Top, q.OrderBy, q.Ascending)
	}
	return nil
}

// split gives the dimensions that the filter names, in its order.
func (q *Query) split(dims []Dimension) (out []Dimension) {
	for _, f := range q.Filter {
		for _, d := range dims {
			if strings.EqualFold(d.Name, f.Name) {
				out = append(out, d)
			}
		}
	}
	return out
}

func lineKey(dims []Dimension) string {
	var b strings.Builder
	for _, d := range dims {
		fmt.Fprintf(&b, "%d %s", len(d.Value), d.Value)
	}
	return b.String()
}

// Merge adds a line of the same span and grain: to the line of the same dimensions, if there is one.
func (res *Result) Merge(l Line) {
	for i := range res.Lines {
		if have := &res.Lines[i]; slices.Equal(have.Dimensions, l.Dimensions) {
			for k, c := range l.Cells {
				have.Cells[k].Merge(c)
			}
			return
		}
	}
	res.Lines = append(res.Lines, l)
}

// Rank orders lines by the whole span's value, falling unless ascending, and keeps the top ones (0: all). Those without data come last. By None is by Average.
func (res *Result) Rank(top int, by Aggregation, ascending bool) {
	type ranked struct {
		Line
		v  float64
		ok bool
	}
	var all []ranked
	for _, l := range res.Lines {
		var sum Cell
		for _, c := range l.Cells {
			sum.Merge(c)
		}
		v, ok := by.Of(sum)
		all = append(all, ranked{l, v, ok})
	}
	slices.SortStableFunc(all, func(a, b ranked) int {
		switch {
		case a.ok != b.ok && a.ok:
			return -1
		case a.ok != b.ok:
			return 1
		case ascending:
			return cmp.Compare(a.v, b.v)
		}
		return cmp.Compare(b.v, a.v)
	})
	if top > 0 {
		all = all[:min(top, len(all))]
	}
	for i := range all {
		res.Lines[i] = all[i].Line
	}
	res.Lines = res.Lines[:len(all)]
}

// cells calls fn for the minutes in [from, to) of a series that have data, in no particular order.
func (s *Store) cells(ctx context.Context, ref Ref, from, to int64, fn func(minute int64, c Cell)) error {
	if from >= to {
		return nil
	}
	b := s.bucketOfRef(ref)
	var dec decoder
	b.mu.RLock()
	r, frozen := b.find(ref), b.frozen
	var err error
	if r != nil {
		err = r.unfrozen(&dec, frozen, from, to, fn)
	}
	b.mu.RUnlock()
	if to = min(to, frozen); r == nil || err != nil || from >= to {
		return err
	}
	found, err := s.readBlocks(ctx, b, r.id, from/blockMinutes, (to-1)/blockMinutes)
	if err != nil {
		return err
	}
	for block, packed := range found {
		start := block * blockMinutes
		err := dec.block(packed, func(at int, c Cell) {
			if m := start + int64(at); m >= from && m < to {
				fn(m, c)
			}
		})
		if err != nil {
			return fmt.Errorf("%w: %s at %s", err, &r.Series, timeOf(start))
		}
	}
	return nil
}
