package portal

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// axis is the range of values that is drawn, and the step between its ticks: round numbers, of bytes in their own unit.
func (in chartOf) axis() (low, high, step float64) {
	low, high = in.bounds()
	scale := 1.0
	if strings.HasPrefix(in.Unit, "Bytes") {
		for high/scale >= 1024 {
			scale *= 1024
		}
	}
	low, high, step = rounded(low/scale, high/scale)
	return low * scale, high * scale, step * scale
}

// bounds are the lowest and the highest of what is to be seen.
func (in chartOf) bounds() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	see := func(v float64) {
		if !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	for _, l := range in.Curves {
		for _, v := range l.Values {
			see(v)
		}
	}
	for _, l := range in.Levels {
		see(l.Value)
	}
	for _, r := range in.Ribbons {
		for _, p := range r.Points {
			see(p.Low)
			see(p.High)
		}
	}
	if math.IsInf(low, 1) {
		return 0, 1
	}
	if in.Unit == "Percent" && low >= 0 {
		return 0, max(high, 100)
	}
	if low > 0 {
		low = 0
	}
	return low, high
}

// rounded widens a range to round numbers, and gives the step between its ticks.
func rounded(low, high float64) (from, to, step float64) {
	if high <= low {
		high = low + max(math.Abs(low), 1)
	}
	raw := (high - low) / 5
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	step = unit * 10
	for _, m := range []float64{1, 2, 2.5, 5} {
		if raw <= m*unit {
			step = m * unit
			break
		}
	}
	return math.Floor(low/step) * step, math.Ceil(high/step-1e-9) * step, step
}

// timeTicks are whole steps of the clock, at most about ten.
func (in chartOf) timeTicks(x func(time.Time) float64) (out []drawnTick) {
	length := in.To.Sub(in.From)
	step := 30 * 24 * time.Hour
	for _, s := range []time.Duration{
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
		24 * time.Hour, 2 * 24 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour,
	} {
		if length/s <= 9 {
			step = s
			break
		}
	}
	for t := in.From.UTC().Truncate(step); !t.After(in.To); t = t.Add(step) {
		if t.Before(in.From) {
			continue
		}
		text := t.Format("15:04")
		if step >= 24*time.Hour || t.Hour() == 0 && t.Minute() == 0 || len(out) == 0 && length > 18*time.Hour {
			text = t.Format("2 Jan 15:04")
			if step >= 24*time.Hour {
				text = t.Format("2 Jan")
			}
		}
		out = append(out, drawnTick{pixel(x(t)), text})
	}
	return out
}

// pixel is a coordinate: to a tenth of a pixel.
func pixel(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// amount shows a value of a unit as people read it.
func amount(v float64, unit string) string {
	number := func(v float64) string {
		digits := 2
		if math.Abs(v) >= 100 {
			digits = 1
		}
		p := math.Pow(10, float64(digits))
		return strconv.FormatFloat(math.Round(v*p)/p, 'f', -1, 64)
	}
	switch unit {
	case "Percent":
		return number(v) + " %"
	case "Bytes", "BytesPerSecond":
		suffix := map[bool]string{true: "/s"}[unit == "BytesPerSecond"]
		for _, u := range []struct {
			name string
			size float64
		}{{"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"kB", 1 << 10}} {
			if math.Abs(v) >= u.size {
				return number(v/u.size) + " " + u.name + suffix
			}
		}
		return number(v) + " B" + suffix
	case "MilliSeconds":
		return number(v) + " ms"
	case "Seconds":
		return number(v) + " s"
	}
	if a := math.Abs(v); a >= 1e9 || a > 0 && a < 0.01 {
		return fmt.Sprintf("%.3g", v)
	}
	return number(v)
}
