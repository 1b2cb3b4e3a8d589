package monitor

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/snappy"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// prometheusNamespace is that of what Prometheus sends.
const prometheusNamespace = "prometheus"

// maxRemote is how many samples one remote write may have.
const maxRemote = 200_000

// postRemoteWrite takes what Prometheus sends by remote_write 1.0: a snappy block of a protobuf WriteRequest. A sample becomes a measurement of its minute, its labels
// dimensions. Values that are no numbers (staleness marks too) are left out.
func (s *Service) postRemoteWrite(ctx context.Context, r *wire.Request) (any, error) {
	sc, err := s.destination(r)
	if err != nil {
		return nil, err
	}
	if enc := r.HTTP.Header.Get("Content-Encoding"); !strings.EqualFold(enc, "snappy") {
		return nil, badRequest("The Content-Encoding is '%.40s', not snappy.", enc)
	}
	n, err := snappy.DecodedLen(r.Body)
	if err != nil || n > maxUnpacked {
		return nil, badRequest("The body is no snappy block of at most %d bytes.", maxUnpacked)
	}
	body, err := snappy.Decode(nil, r.Body)
	if err != nil {
		return nil, badRequest("The body is no snappy block.")
	}
	samples, err := parseRemote(sc.resource.ID, body)
	if err != nil {
		return nil, badRequest("The body is no remote write request: %s.", err)
	}
	if err := s.add(ctx, sc, r.Host.Name, samples); err != nil {
		return nil, err
	}
	return wire.Reply{Status: http.StatusNoContent}, nil
}

var errProto = errors.New("it is no protobuf message of one")

// fields calls fn for each length-delimited or fixed field of a message; others are passed over.
func fields(b []byte, fn func(n protowire.Number, t protowire.Type, v []byte, bits uint64) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errProto
		}
		b = b[n:]
		var v []byte
		var bits uint64
		switch typ {
		case protowire.BytesType:
			v, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			bits, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			bits, n = protowire.ConsumeFixed64(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return errProto
		}
		b = b[n:]
		if err := fn(num, typ, v, bits); err != nil {
			return err
		}
	}
	return nil
}

// parseRemote reads a WriteRequest: 1 = timeseries {1 = label {1 name, 2 value}, 2 = sample {1 value, 2 timestamp in ms}}.
func parseRemote(resource string, b []byte) (out []metrics.Sample, err error) {
	err = fields(b, func(n protowire.Number, t protowire.Type, v []byte, _ uint64) error {
		if n != 1 || t != protowire.BytesType {
			return nil
		}
		out, err = appendRemote(out, resource, v)
		return err
	})
	return out, err
}

func appendRemote(out []metrics.Sample, resource string, b []byte) ([]metrics.Sample, error) {
	sr := metrics.Series{Resource: resource, Namespace: prometheusNamespace}
	from := len(out)
	err := fields(b, func(n protowire.Number, t protowire.Type, v []byte, _ uint64) error {
		switch {
		case n == 1 && t == protowire.BytesType:
			var name, value string
			if err := fields(v, func(n protowire.Number, t protowire.Type, v []byte, _ uint64) error {
				if t == protowire.BytesType && n == 1 {
					name = string(v)
				} else if t == protowire.BytesType && n == 2 {
					value = string(v)
				}
				return nil
			}); err != nil {
				return err
			}
			if name == "__name__" {
				sr.Name = value
			} else if value != "" { // an empty label is no label
				sr.Dimensions = append(sr.Dimensions, metrics.Dimension{Name: name, Value: value})
			}
		case n == 2 && t == protowire.BytesType:
			var value float64
			var at int64
			if err := fields(v, func(n protowire.Number, t protowire.Type, _ []byte, bits uint64) error {
				if t == protowire.Fixed64Type && n == 1 {
					value = math.Float64frombits(bits)
				} else if t == protowire.VarintType && n == 2 {
					at = int64(bits)
				}
				return nil
			}); err != nil {
				return err
			}
			if math.IsNaN(value) || math.IsInf(value, 0) {
				return nil
			}
			if len(out) >= maxRemote {
				return errors.New("it has too many samples")
			}
			out = append(out, metrics.Sample{Time: time.UnixMilli(at), Cell: metrics.Of(value)})
		}
		return nil
	})
	for i := from; i < len(out); i++ {
		out[i].Series = sr
	}
	return out, err
}
