package metrics

import "encoding/binary"

// ringMinutes is how many minutes of a series are kept as they are: an hour's window, what may come early, and what goes at a time.
const (
	ringMinutes  = 72
	evictMinutes = 8
)

// series is one series in memory. Its bucket's lock guards it; what names it never changes.
type series struct {
	Series
	id    uint32
	day   int32   // of the last data, as the series' row tells
	group *group  // nil: no quota
	next  *series // of the same hash

	cells ring  // of the minutes from start on
	start int64 // minutes since 1970
	// pending are encoded strips of cells that left cells before they were in blocks.
	pending []byte
	evicted int64 // minutes before this are in pending or in blocks, if they have data
	last    int64 // the newest minute with data
	stored  bool  // the row is durable
	gone    bool  // removed

	old *oldDay // nil: no long window was asked for
}

// put merges a cell. It is false for a minute that is closed.
func (r *series) put(e *encoder, frozen, minute int64, c Cell) bool {
	if minute < r.evicted || minute < frozen {
		return false
	}
	n := int64(r.cells.len())
	switch {
	case n == 0:
		r.start = minute
		r.cells.resize(1, false)
	case minute < r.start:
		shift := r.start - minute
		if n+shift > ringMinutes {
			return false
		}
		r.cells.resize(int(n+shift), true)
		r.start = minute
	case minute >= r.start+n:
		if over := minute - r.start + 1 - ringMinutes; over > 0 {
			r.evict(e, frozen, min((over+evictMinutes-1)/evictMinutes*evictMinutes, n))
			if r.cells.len() == 0 {
				r.start = minute
			}
		}
		r.cells.resize(int(minute-r.start+1), false)
	}
	r.cells.merge(int(minute-r.start), c)
	r.last = max(r.last, minute)
	return true
}

// evict takes the first n minutes out of r.cells. What of them is in no block yet goes to r.pending.
func (r *series) evict(e *encoder, frozen, n int64) {
	var cells []minuteCell
	base := int64(-1)
	flush := func() {
		if len(cells) > 0 {
			strip := e.block(nil, cells)
			r.pending = binary.AppendUvarint(r.pending, uint64(base))
			r.pending = binary.AppendUvarint(r.pending, uint64(len(strip)))
			r.pending = append(r.pending, strip...)
			cells = cells[:0]
		}
	}
	for i := range n {
		minute := r.start + i
		c := r.cells.at(int(i))
		if c.Count == 0 || minute < frozen {
			continue
		}
		if b := minute / blockMinutes; b != base {
			flush()
			base = b
		}
		cells = append(cells, minuteCell{int(minute % blockMinutes), c})
	}
	flush()
	r.cells.drop(int(n))
	r.start += n
	r.evicted = r.start
}

// unfrozen calls fn for the cells with data in the minutes [from, to) that memory has and no block below frozen, oldest first.
func (r *series) unfrozen(d *decoder, frozen, from, to int64, fn func(minute int64, c Cell)) error {
	from = max(from, frozen)
	for b := r.pending; len(b) > 0; {
		base, strip, rest, err := nextStrip(b)
		if err != nil {
			return err
		}
		b = rest
		if (base+1)*blockMinutes <= from || base*blockMinutes >= to {
			continue
		}
		err = d.block(strip, func(at int, c Cell) {
			if m := base*blockMinutes + int64(at); m >= from && m < to {
				fn(m, c)
			}
		})
		if err != nil {
			return err
		}
	}
	for m := max(from, r.start); m < min(to, r.start+int64(r.cells.len())); m++ {
		if c := r.cells.at(int(m - r.start)); c.Count != 0 {
			fn(m, c)
		}
	}
	return nil
}

func nextStrip(b []byte) (base int64, strip, rest []byte, err error) {
	u, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, nil, errBlock
	}
	size, k := binary.Uvarint(b[n:])
	if k <= 0 || size > uint64(len(b)-n-k) {
		return 0, nil, nil, errBlock
	}
	b = b[n+k:]
	return int64(u), b[:size], b[size:], nil
}

// froze drops what is in blocks now.
func (r *series) froze(line int64) {
	keep := r.pending[:0]
	for b := r.pending; len(b) > 0; {
		base, _, rest, err := nextStrip(b)
		if err != nil {
			break // can't be: it was written here
		}
		if base*blockMinutes >= line {
			keep = append(keep, b[:len(b)-len(rest)]...)
		}
		b = rest
	}
	if r.pending = keep; len(keep) == 0 {
		r.pending = nil
	}
	if r.last < line && r.cells.len() > 0 { // nothing new: the memory is for others
		r.evicted, r.cells = max(r.evicted, line), ring{}
	}
}
