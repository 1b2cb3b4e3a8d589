package monitor

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// expose answers the newest cells of a scope's series as Prometheus reads them: a gauge for each aggregation, {metric}_average and so on.
func (s *Service) expose(_ context.Context, r *wire.Request) (any, error) {
	within := r.State.(*scope).id.String()
	type shown struct {
		metrics.Series
		metrics.Cell
	}
	families := map[string][]shown{}
	now := s.deps.Clock.Now()
	s.deps.Metrics.Each(func(sr *metrics.Series, c metrics.Cell, at time.Time) bool {
		if (strings.EqualFold(sr.Resource, within) || below(sr.Resource, within)) && now.Sub(at) < stale {
			name := promName(sr.Name)
			families[name] = append(families[name], shown{*sr, c})
		}
		return true
	})
	names := make([]string, 0, len(families))
	for n := range families {
		names = append(names, n)
	}
	slices.Sort(names)
	var b bytes.Buffer
	for _, n := range names {
		for _, a := range []metrics.Aggregation{metrics.Average, metrics.Total, metrics.Minimum, metrics.Maximum, metrics.Count} {
			full := n + "_" + strings.ToLower(a.String())
			fmt.Fprintf(&b, "# TYPE %s gauge\n", full)
			for _, one := range families[n] {
				v, _ := a.Of(one.Cell)
				b.WriteString(full)
				writeLabels(&b, &one.Series)
				b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
				b.WriteByte('\n')
			}
		}
	}
	return wire.Reply{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/plain; version=0.0.4; charset=utf-8"}}, Body: b.Bytes()}, nil
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func writeLabels(b *bytes.Buffer, sr *metrics.Series) {
	fmt.Fprintf(b, `{resource_id="%s",namespace="%s"`, labelEscapes.Replace(sr.Resource), labelEscapes.Replace(sr.Namespace))
	seen := map[string]bool{"resource_id": true, "namespace": true}
	for _, d := range sr.Dimensions {
		name := promName(d.Name)
		for seen[name] { // Prometheus takes no label twice
			name += "_"
		}
		seen[name] = true
		fmt.Fprintf(b, `,%s="%s"`, name, labelEscapes.Replace(d.Value))
	}
	b.WriteString("} ")
}

// promName makes a name that Prometheus takes of any.
func promName(s string) string {
	out := []byte(s)
	for i, c := range out {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || i > 0 && c >= '0' && c <= '9') {
			out[i] = '_'
		}
	}
	return string(out)
}
