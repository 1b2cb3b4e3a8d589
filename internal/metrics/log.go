package metrics

import (
	"encoding/binary"
	"errors"
	"math"
)

// A log row holds the samples of one commit, so that what is in no block yet survives the process: a base minute, then for each sample the series' id, its minute less the
// base, a byte of what follows, and the numbers.
const (
	logWhole  = 1 << iota // numbers are whole ones, as varints
	logSingle             // sum, min and max are one number, count is 1
	logFlat               // min and max are one number
)

var errLog = errors.New("metrics: a row of the log can't be read")

func appendLogSample(dst []byte, id uint32, minute, base int64, c Cell) []byte {
	dst = binary.AppendUvarint(dst, uint64(id))
	dst = binary.AppendVarint(dst, minute-base)
	values := [columnCount]float64{c.Sum, c.Min, c.Max, c.Count}
	n := columnCount
	var flags byte
	switch {
	case c.Count == 1 && c.Min == c.Max && c.Sum == c.Min:
		flags, n = logSingle, 1
	case c.Min == c.Max:
		flags, n = logFlat, 3
		values[2] = c.Count
	}
	whole := true
	for _, v := range values[:n] {
		whole = whole && v == math.Trunc(v) && math.Abs(v) < 1<<40
	}
	if whole {
		dst = append(dst, flags|logWhole)
		for _, v := range values[:n] {
			dst = binary.AppendVarint(dst, int64(v))
		}
		return dst
	}
	dst = append(dst, flags)
	for _, v := range values[:n] {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	}
	return dst
}

// readLog calls fn for each sample of a row.
func readLog(b []byte, fn func(id uint32, minute int64, c Cell)) error {
	base, n := binary.Varint(b)
	if n <= 0 {
		return errLog
	}
	b = b[n:]
	for len(b) > 0 {
		id, n := binary.Uvarint(b)
		if n <= 0 || id > math.MaxUint32 {
			return errLog
		}
		at, k := binary.Varint(b[n:])
		if b = b[max(n+k, 0):]; k <= 0 || len(b) == 0 {
			return errLog
		}
		flags := b[0]
		b = b[1:]
		count := columnCount
		switch {
		case flags&logSingle != 0:
			count = 1
		case flags&logFlat != 0:
			count = 3
		}
		var v [columnCount]float64
		for i := range count {
			if flags&logWhole != 0 {
				w, n := binary.Varint(b)
				if n <= 0 {
					return errLog
				}
				v[i], b = float64(w), b[n:]
				continue
			}
			if len(b) < 8 {
				return errLog
			}
			v[i], b = math.Float64frombits(binary.LittleEndian.Uint64(b)), b[8:]
		}
		c := Cell{v[0], v[1], v[2], v[3]}
		switch count {
		case 1:
			c = Of(v[0])
		case 3:
			c = Cell{v[0], v[1], v[1], v[2]}
		}
		if c.valid() != "" {
			return errLog
		}
		fn(uint32(id), base+at, c)
	}
	return nil
}
