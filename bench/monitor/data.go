package main

import (
	"fmt"
	"math"
	"time"

	"github.com/klauspost/compress/snappy"
	"google.golang.org/protobuf/encoding/protowire"
)

// history is what both have of 30 days: a sample a minute of some servers' load, with two decimals.
type history struct{ end time.Time }

const (
	days    = 30
	servers = 4
)

func (h history) start() time.Time { return h.end.Add(-days * 24 * time.Hour) }

// load is what a server's load was at a minute of history.
func (h history) load(server, minute int) float64 {
	return math.Round(100*(50+40*math.Sin(float64(server)+float64(minute)/200)+float64(minute*7919%13))) / 100
}

// average is that of an hour of history.
func (h history) average(server, hour int) float64 {
	sum := 0.0
	for k := range 60 {
		sum += h.load(server, hour*60+k)
	}
	return sum / 60
}

// label is one of a series, in the order that Prometheus wants them: by name.
type label struct{ name, value string }

// appendSeries appends a time series of a WriteRequest.
func appendSeries(dst []byte, labels []label, values []float64, times []int64) []byte {
	var ts []byte
	for _, l := range labels {
		one := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), l.name)
		one = protowire.AppendString(protowire.AppendTag(one, 2, protowire.BytesType), l.value)
		ts = protowire.AppendBytes(protowire.AppendTag(ts, 1, protowire.BytesType), one)
	}
	for i, v := range values {
		one := protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), math.Float64bits(v))
		one = protowire.AppendVarint(protowire.AppendTag(one, 2, protowire.VarintType), uint64(times[i])) //nolint:gosec // after 1970
		ts = protowire.AppendBytes(protowire.AppendTag(ts, 2, protowire.BytesType), one)
	}
	return protowire.AppendBytes(protowire.AppendTag(dst, 1, protowire.BytesType), ts)
}

// load is the bodies of a round's remote_writes: for each resource, one for each timestamp, with a sample of each of its series.
type load struct {
	bodies  [resources][][]byte
	samples int
}

func newLoad(series, stamps int, from time.Time) *load {
	l := &load{samples: resources * series * stamps}
	for r := range resources {
		for k := range stamps {
			at := []int64{from.Add(time.Duration(k) * time.Second).UnixMilli()}
			var body []byte
			for i := range series {
				labels := []label{{"__name__", "requests"}, {"host", fmt.Sprintf("web%02d-%04d", r, i/20)}, {"job", "web"}, {"path", fmt.Sprintf("/api/%d", i%20)}}
				body = appendSeries(body, labels, []float64{float64(i) + float64(k)}, at)
			}
			l.bodies[r] = append(l.bodies[r], snappy.Encode(nil, body))
		}
	}
	return l
}
