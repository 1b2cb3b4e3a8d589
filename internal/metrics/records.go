package metrics

import (
	"encoding/binary"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// The rows of a bucket's shard:
//
//	F                                 the frozen line: minutes before it are in blocks
//	S | id (4)                        a series
//	L | segment (4) | lsn (8)         samples that came in these segmentMinutes
//	B | day (2) | id (4) | block (1)  the cells of a series in one block of a day
//
// Numbers are big-endian.

// blockKeySize is the size of a block's key.
const blockKeySize = 8

// segmentMinutes is the length of a segment of the log; segments go one by one.
const segmentMinutes = 10

const (
	minutesPerDay = 24 * 60
	blocksPerDay  = minutesPerDay / blockMinutes
	retentionDays = int64(Retention / (24 * 60 * 60 * 1e9))
)

var frozenKey = []byte("F")

// seriesRow is a stored series.
type seriesRow struct {
	Resource   string   `json:"r"`
	Namespace  string   `json:"ns"`
	Name       string   `json:"n"`
	Dimensions []string `json:"d,omitempty"` // name, value, name, value
	Group      string   `json:"g,omitempty"` // of its quota
	Day        int64    `json:"day"`         // since 1970, of its last data
}

// frozenRow is the stored frozen line.
type frozenRow struct {
	Line int64 `json:"line"` // minutes since 1970
}

var (
	seriesCodec = store.Codec[seriesRow]{Kind: 1, Version: 1}
	frozenCodec = store.Codec[frozenRow]{Kind: 2, Version: 1}
)

// The heads of rows that are no JSON.
const (
	kindLog, logVersion     = 3, 1
	kindBlock, blockVersion = 4, 1
)

// body takes the kind and version off a row that is no JSON.
func body(b []byte, kind, version byte, bad error) ([]byte, error) {
	if len(b) < 2 || b[0] != kind {
		return nil, bad
	}
	if b[1] > version {
		return nil, store.ErrVersion
	}
	return b[2:], nil
}

func seriesKey(id uint32) []byte { return binary.BigEndian.AppendUint32([]byte("S"), id) }

func logKey(segment int64, lsn store.LSN) []byte {
	return binary.BigEndian.AppendUint64(segmentKey(segment), uint64(lsn))
}

func segmentKey(segment int64) []byte {
	return binary.BigEndian.AppendUint32([]byte("L"), uint32(segment))
}

func dayKey(day int64) []byte { return binary.BigEndian.AppendUint16([]byte("B"), uint16(day)) }

func blockKey(id uint32, block int64) []byte {
	k := binary.BigEndian.AppendUint32(dayKey(block/blocksPerDay), id)
	return append(k, byte(block%blocksPerDay))
}

func (r *series) row() seriesRow {
	out := seriesRow{Resource: r.Resource, Namespace: r.Namespace, Name: r.Name, Day: int64(r.day)}
	for _, d := range r.Dimensions {
		out.Dimensions = append(out.Dimensions, d.Name, d.Value)
	}
	if r.group != nil {
		out.Group = r.group.name
	}
	return out
}

func (row seriesRow) series() Series {
	s := Series{Resource: row.Resource, Namespace: row.Namespace, Name: row.Name}
	for i := 0; i+1 < len(row.Dimensions); i += 2 {
		s.Dimensions = append(s.Dimensions, Dimension{row.Dimensions[i], row.Dimensions[i+1]})
	}
	return s
}
