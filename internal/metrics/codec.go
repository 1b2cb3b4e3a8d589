package metrics

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
)

// A block is the cells of one series in blockMinutes minutes, column by column: sum, min, max, count. A column is a column of whole numbers: the values themselves, or the
// values times a power of ten where all are decimal fractions of few digits, else the upper bits of the floating-point numbers, which are in order as the numbers are. So an
// arbitrary fraction is kept to 36 bits of mantissa (a relative error below 1e-11), whole and decimal numbers exactly. The whole numbers are Rice coded: themselves less the
// least, their differences, or the differences of these, whichever is shorter.

const blockMinutes = 120

// droppedBits is what is not kept of the mantissa of arbitrary fractions.
const droppedBits = 16

// The modes of a column.
const (
	modeSame  = iota // as the column before
	modeFirst        // as the first column
	modeConst        // one value
	modePlain
	modeDelta
	modeDouble
)

const (
	kindInts    = 0 << 3
	kindFloats  = 1 << 3
	scaleShift  = 4
	maxScale    = 6
	exactInt    = 1 << 53
	columnCount = 4
)

var powers = [...]float64{1, 10, 100, 1e3, 1e4, 1e5, 1e6}

var errBlock = errors.New("metrics: a block can't be read")

// minuteCell is a cell and its minute's place in a block.
type minuteCell struct {
	at int
	Cell
}

// encoder has room for the work of encodeBlock. Its zero value is ready.
type encoder struct {
	values [columnCount][]float64
	ints   []int64
	best   []uint64
	try    []uint64
}

// block appends the encoded cells, which are in order of their places and at least one, to dst.
func (e *encoder) block(dst []byte, cells []minuteCell) []byte {
	first, last := cells[0].at, cells[len(cells)-1].at
	dst = binary.AppendUvarint(dst, uint64(first))
	dst = binary.AppendUvarint(dst, uint64(last-first))
	dst = binary.AppendUvarint(dst, uint64(len(cells)))
	w := bitWriter{out: dst}
	if last-first+1 != len(cells) {
		next := first
		for _, c := range cells {
			for ; next < c.at; next++ {
				w.write(0, 1)
			}
			w.write(1, 1)
			next++
		}
		dst = w.flush()
	}
	for i := range e.values {
		e.values[i] = e.values[i][:0]
	}
	for _, c := range cells {
		e.values[0] = append(e.values[0], c.Sum)
		e.values[1] = append(e.values[1], c.Min)
		e.values[2] = append(e.values[2], c.Max)
		e.values[3] = append(e.values[3], c.Count)
	}
	for i := range e.values {
		switch {
		case i > 0 && same(e.values[i], e.values[i-1]):
			dst = append(dst, modeSame)
		case i > 0 && same(e.values[i], e.values[0]):
			dst = append(dst, modeFirst)
		default:
			dst = e.column(dst, e.values[i])
		}
	}
	return dst
}

func same(a, b []float64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func (e *encoder) column(dst []byte, values []float64) []byte {
	kind := e.integers(values)
	lo, constant := e.ints[0], true
	for _, v := range e.ints {
		constant = constant && v == e.ints[0]
		lo = min(lo, v)
	}
	if constant {
		return binary.AppendVarint(append(dst, kind|modeConst), e.ints[0])
	}
	e.best = e.best[:0]
	for _, v := range e.ints {
		e.best = append(e.best, uint64(v-lo))
	}
	mode, r, cost := byte(modePlain), uint(0), uint64(0)
	r, cost = bestRice(e.best)
	for _, m := range []byte{modeDelta, modeDouble} {
		e.try = e.try[:0]
		var prev, slope int64
		prev = e.ints[0]
		for _, v := range e.ints[1:] {
			d := v - prev
			prev = v
			if m == modeDouble {
				d, slope = d-slope, d
			}
			e.try = append(e.try, zigzag(d))
		}
		if tr, tc := bestRice(e.try); tc < cost {
			mode, r, cost = m, tr, tc
			e.best, e.try = e.try, e.best
		}
	}
	dst = append(dst, kind|mode, byte(r))
	if mode == modePlain {
		dst = binary.AppendVarint(dst, lo)
	} else {
		dst = binary.AppendVarint(dst, e.ints[0])
	}
	w := bitWriter{out: dst}
	for _, u := range e.best {
		w.rice(u, r)
	}
	return w.flush()
}

// integers fills e.ints with the column as whole numbers and says of what kind they are.
func (e *encoder) integers(values []float64) byte {
	scale := 0
	for _, v := range values {
		for scale <= maxScale && !decimal(v, scale) {
			scale++
		}
		if scale > maxScale {
			break
		}
	}
	// A value that fits a scale fits those above it, but for the largest: so the last scale is tried on all.
	for _, v := range values {
		if scale <= maxScale && !decimal(v, scale) {
			scale = maxScale + 1
		}
	}
	e.ints = e.ints[:0]
	if scale > maxScale {
		for _, v := range values {
			e.ints = append(e.ints, orderedBits(v))
		}
		return kindFloats
	}
	for _, v := range values {
		e.ints = append(e.ints, int64(math.Round(v*powers[scale])))
	}
	return kindInts | byte(scale<<scaleShift)
}

// decimal tells whether v is kept exactly as a whole number of 10^-scale.
func decimal(v float64, scale int) bool {
	n := math.Round(v * powers[scale])
	return math.Abs(n) < exactInt && n/powers[scale] == v
}

// orderedBits rounds v to the bits that are kept and gives them as a number in the order of the values.
func orderedBits(v float64) int64 {
	b := math.Float64bits(v)
	sign := b >> 63
	b = b<<1>>1 + 1<<(droppedBits-1)
	if b >= 0x7ff<<52 { // rounding must not make an infinity of the largest
		b -= 1 << droppedBits
	}
	n := int64(b >> droppedBits)
	if sign == 1 {
		return -n
	}
	return n
}

func fromOrderedBits(n int64) float64 {
	if n < 0 {
		return -math.Float64frombits(uint64(-n) << droppedBits)
	}
	return math.Float64frombits(uint64(n) << droppedBits)
}

// bestRice finds the parameter that codes the values shortest, near what the mean suggests.
func bestRice(values []uint64) (r uint, cost uint64) {
	var sum uint64
	for _, u := range values {
		sum += min(u, 1<<56) // 120 of them do not overflow
	}
	guess := uint(bits.Len64(sum / uint64(max(len(values), 1))))
	cost = math.MaxUint64
	for try := max(guess, 2) - 2; try <= min(guess+1, 60); try++ {
		var c uint64
		for _, u := range values {
			c += riceCost(u, try)
		}
		if c < cost {
			r, cost = try, c
		}
	}
	return r, cost
}

// decoder has room for the work of reading blocks. Its zero value is ready.
type decoder struct {
	places []int
	column [columnCount][]float64
}

// block reads a block and calls fn for each of its cells in order.
func (d *decoder) block(b []byte, fn func(at int, c Cell)) error {
	b, err := d.head(b)
	if err != nil {
		return err
	}
	for i := range d.column {
		if b, err = d.read(b, i); err != nil {
			return err
		}
	}
	for i, at := range d.places {
		fn(at, Cell{d.column[0][i], d.column[1][i], d.column[2][i], d.column[3][i]})
	}
	return nil
}

// head reads which minutes have cells.
func (d *decoder) head(b []byte) ([]byte, error) {
	var n [3]uint64
	for i := range n {
		v, used := binary.Uvarint(b)
		if used <= 0 || v > blockMinutes {
			return nil, errBlock
		}
		n[i], b = v, b[used:]
	}
	first, span, count := int(n[0]), int(n[1]), int(n[2])
	if first+span >= blockMinutes || count < 1 || count > span+1 {
		return nil, errBlock
	}
	d.places = d.places[:0]
	if count == span+1 {
		for i := range count {
			d.places = append(d.places, first+i)
		}
		return b, nil
	}
	size := (span + 8) / 8
	if len(b) < size {
		return nil, errBlock
	}
	for i := range span + 1 {
		if b[i/8]>>(7-i%8)&1 == 1 {
			d.places = append(d.places, first+i)
		}
	}
	if len(d.places) != count {
		return nil, errBlock
	}
	return b[size:], nil
}

// read reads column i, which follows those before it.
func (d *decoder) read(b []byte, i int) ([]byte, error) {
	if len(b) == 0 {
		return nil, errBlock
	}
	head := b[0]
	b = b[1:]
	mode, scale := head&7, int(head>>scaleShift)
	out := d.column[i][:0]
	switch mode {
	case modeSame, modeFirst:
		if i == 0 {
			return nil, errBlock
		}
		from := i - 1
		if mode == modeFirst {
			from = 0
		}
		d.column[i] = append(out, d.column[from]...)
		return b, nil
	case modeConst, modePlain, modeDelta, modeDouble:
	default:
		return nil, errBlock
	}
	if scale > maxScale {
		return nil, errBlock
	}
	r := uint(0)
	if mode != modeConst {
		if len(b) == 0 || b[0] > 60 {
			return nil, errBlock
		}
		r, b = uint(b[0]), b[1:]
	}
	base, used := binary.Varint(b)
	if used <= 0 {
		return nil, errBlock
	}
	b = b[used:]
	value := func(n int64) float64 { return float64(n) / powers[scale] }
	if head&kindFloats != 0 {
		value = fromOrderedBits
	}
	n := len(d.places)
	in := bitReader{in: b}
	switch mode {
	case modeConst:
		v := value(base)
		for range n {
			out = append(out, v)
		}
		d.column[i] = out
		return b, nil
	case modePlain:
		for range n {
			out = append(out, value(base+int64(in.rice(r))))
		}
	default:
		out = append(out, value(base))
		var slope int64
		for range n - 1 {
			step := unzigzag(in.rice(r))
			if mode == modeDouble {
				slope += step
				step = slope
			}
			base += step
			out = append(out, value(base))
		}
	}
	d.column[i] = out
	used = in.at - int(in.have/8)
	if in.over || used > len(b) {
		return nil, errBlock
	}
	return b[used:], nil
}
