package fasttext

import "math"

// matrix is the input: dense rows, or codes of a product quantiser.
type matrix struct {
	rows, dim int
	dense     []float32 // nil where only codes or bytes are held
	q         *quantised
	bytes     []int8    // rows x dim, each times its column's unit; nil: none
	units     []float32 // by column
}

// unpackedBytes is the most memory that coded rows may take as floats.
const unpackedBytes = 64 << 20

// unpack decodes a coded matrix beside its codes: adding up rows of floats is several times as fast as looking up their parts.
func (m *matrix) unpack() {
	if m.q == nil || m.dense != nil || 4*m.rows*m.dim > unpackedBytes {
		return
	}
	m.dense = make([]float32, m.rows*m.dim)
	for r := range m.rows {
		m.q.decode(m.dense[r*m.dim:][:m.dim], r)
	}
}

// compact holds the rows as bytes and nothing else: a quarter of the memory, most of which a processor's cache holds, for a loss that the mean of many rows doesn't show.
func (m *matrix) compact() {
	row := make([]float32, m.dim)
	decode := func(r int) {
		if m.q != nil {
			m.q.decode(row, r)
		} else {
			copy(row, m.dense[r*m.dim:])
		}
	}
	units := make([]float32, m.dim)
	for r := range m.rows {
		decode(r)
		for j, x := range row {
			units[j] = max(units[j], x, -x)
		}
	}
	for j := range units {
		units[j] = max(units[j]/127, 1e-30)
	}
	bytes := make([]int8, m.rows*m.dim)
	for r := range m.rows {
		decode(r)
		for j, x := range row {
			bytes[r*m.dim+j] = int8(math.Round(float64(x / units[j])))
		}
	}
	*m = matrix{rows: m.rows, dim: m.dim, bytes: bytes, units: units}
}

// most16 is how many bytes may be added up in sixteen bits.
const most16 = 256

// sumBytes adds up rows of bytes, which gives the same numbers in whatever order.
func sumBytes(sum []float32, bytes []int8, units []float32, rows []int32) {
	dim := len(sum)
	var part [32]int16
	for len(rows) > 0 {
		some := rows[:min(len(rows), most16)]
		rows = rows[len(some):]
		if dim == len24 && vectors() {
			sum24Fast(&part, bytes, some)
			for j := range sum {
				sum[j] += float32(part[j])
			}
			continue
		}
		for j := range sum {
			n := int32(0)
			for _, r := range some {
				n += int32(bytes[int(r)*dim+j])
			}
			sum[j] += float32(n)
		}
	}
	for j := range sum {
		sum[j] *= units[j]
	}
}

// len24 is the length of rows there are instructions for.
const len24 = 24

// mean puts the mean of rows into sum. Rows are added in their order, so that every way of adding gives the same bits.
func (m *matrix) mean(sum []float32, rows []int32) {
	clear(sum)
	switch {
	case m.bytes != nil:
		sumBytes(sum, m.bytes, m.units, rows)
	case m.dense == nil:
		for _, r := range rows {
			m.add(sum, r)
		}
	default:
		at := 0
		if m.dim >= 8 && vectors() {
			at = m.dim &^ 7
			sumFast(sum[:at], m.dense, m.dim, rows)
		}
		sumGeneric(sum[at:], m.dense[min(at, len(m.dense)):], m.dim, rows)
	}
	scale := 1 / float32(len(rows))
	for i := range sum {
		sum[i] *= scale
	}
}

// sumGeneric adds the first len(sum) floats of rows that are dim apart, eight at a time: the sums stay in registers while all rows pass.
func sumGeneric(sum, dense []float32, dim int, rows []int32) {
	for len(sum) >= 8 {
		var a, b, c, d, e, f, g, h float32
		for _, r := range rows {
			x := dense[int(r)*dim:][:8:8]
			a += x[0]
			b += x[1]
			c += x[2]
			d += x[3]
			e += x[4]
			f += x[5]
			g += x[6]
			h += x[7]
		}
		s := sum[:8:8]
		s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7] = a, b, c, d, e, f, g, h
		sum, dense = sum[8:], dense[min(8, len(dense)):]
	}
	for i := range sum {
		for _, r := range rows {
			sum[i] += dense[int(r)*dim+i]
		}
	}
}

// quantised is a matrix whose rows are codes of sub-vectors, the lengths coded beside them where normed.
type quantised struct {
	codes []uint8 // rows x parts
	norms []uint8 // rows; nil: not normed
	pq    quantiser
	npq   quantiser
}

// quantiser holds 256 centroids for each part of a vector.
type quantiser struct {
	dim, parts, width, last int // parts of width floats, the last of last floats
	centroids               []float32
}

// centroid returns the floats of one code.
func (q *quantiser) centroid(part int, code uint8) []float32 {
	if part == q.parts-1 {
		at := part*256*q.width + int(code)*q.last
		return q.centroids[at : at+q.last]
	}
	at := (part*256 + int(code)) * q.width
	return q.centroids[at : at+q.width]
}

// add adds a row to sum.
func (m *matrix) add(sum []float32, row int32) {
	if m.dense != nil {
		for i, x := range m.dense[int(row)*m.dim:][:len(sum)] {
			sum[i] += x
		}
		return
	}
	q := m.q
	norm := q.norm(int(row))
	at := 0
	for part, code := range q.codes[int(row)*q.pq.parts:][:q.pq.parts] {
		for _, x := range q.pq.centroid(part, code) {
			sum[at] += float32(norm * x)
			at++
		}
	}
}

// decode writes a row's numbers.
func (q *quantised) decode(to []float32, row int) {
	norm := q.norm(row)
	at := 0
	for part, code := range q.codes[row*q.pq.parts:][:q.pq.parts] {
		for _, x := range q.pq.centroid(part, code) {
			to[at] = norm * x
			at++
		}
	}
}

func (q *quantised) norm(row int) float32 {
	if q.norms == nil {
		return 1
	}
	return q.npq.centroids[q.norms[row]]
}
