package portal

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// curve is one line of a chart: values of equal spans of time. A NaN is a span without data.
type curve struct {
	Name   string
	Values []float64
}

// level is a threshold: a line across the chart.
type level struct {
	Name  string
	Value float64
}

// ribbon is the band that a dynamic rule has learned, at some times in order.
type ribbon struct {
	Name   string
	Points []ribbonEdge
}

// ribbonEdge is a ribbon's width at a time.
type ribbonEdge struct {
	At        time.Time
	Low, High float64
}

// firedSpan is a time in which a rule was fired.
type firedSpan struct {
	Name, Link string
	Severity   int
	From, To   time.Time
}

// chartOf is what a chart is made of.
type chartOf struct {
	From, To time.Time
	Grain    time.Duration
	Unit     string
	Curves   []curve
	Levels   []level
	Ribbons  []ribbon
	Spans    []firedSpan
}

// chart is the drawing: the places of everything in it.
type chart struct {
	Width, Height            int
	Left, Top, Right, Bottom int // of the area
	Unit                     string
	Lines                    []drawnLine
	Levels                   []drawnLevel
	Ribbons                  []drawnRibbon
	Spans                    []drawnSpan
	YTicks, XTicks           []drawnTick
	Tips                     []drawnTip
	Empty                    bool
}

type drawnLine struct {
	Name, Path string
	Dots       []dot // values between gaps, which no line leads to
	Class      int   // 0 to 7: its colour and its dashes
}

type dot struct{ X, Y string }

type drawnLevel struct {
	Name string
	Y    string
	Text int // where its name stands
}

type drawnRibbon struct{ Name, Path string }

type drawnSpan struct {
	X, W     string
	Title    string
	Link     string
	Severity int
}

type drawnTick struct {
	At   string
	Text string
}

// drawnTip is a column that says its values when it is pointed at.
type drawnTip struct{ X, W, Text string }

const (
	chartWidth, chartHeight = 940, 320
	chartLeft, chartRight   = 70, 20
	chartTop, chartBottom   = 20, 40
	lineClasses             = 8
	maxTips                 = 800
)

// draw lays a chart out. Where there is no data, there is no line.
func (in chartOf) draw() *chart {
	c := &chart{
		Width: chartWidth, Height: chartHeight, Left: chartLeft, Top: chartTop, Right: chartWidth - chartRight, Bottom: chartHeight - chartBottom, Unit: in.Unit, Empty: true,
	}
	in.clean()
	low, high, step := in.axis()
	x := func(t time.Time) float64 {
		share := t.Sub(in.From).Seconds() / max(in.To.Sub(in.From).Seconds(), 1)
		return float64(c.Left) + min(max(share, 0), 1)*float64(c.Right-c.Left)
	}
	y := func(v float64) float64 {
		return float64(c.Bottom) - min(max((v-low)/(high-low), 0), 1)*float64(c.Bottom-c.Top)
	}
	for v, n := low, 0; v <= high+step/2 && n < 20; v, n = low+float64(n+1)*step, n+1 {
		c.YTicks = append(c.YTicks, drawnTick{pixel(y(v)), amount(v, in.Unit)})
	}
	c.XTicks = in.timeTicks(x)
	for i, l := range in.Curves {
		d := in.line(l, x, y)
		d.Class = i % lineClasses
		c.Empty = c.Empty && d.Path == "" && d.Dots == nil
		c.Lines = append(c.Lines, d)
	}
	for _, l := range in.Levels {
		at := y(l.Value)
		c.Levels = append(c.Levels, drawnLevel{l.Name, pixel(at), int(at) - 4})
	}
	c.spreadNames()
	for _, r := range in.Ribbons {
		if p := ribbonPath(r.Points, x, y); p != "" {
			c.Ribbons = append(c.Ribbons, drawnRibbon{r.Name, p})
		}
	}
	for _, s := range in.Spans {
		if s.To.Before(in.From) || s.From.After(in.To) {
			continue
		}
		from, to := x(s.From), x(s.To)
		c.Spans = append(c.Spans, drawnSpan{
			X: pixel(from), W: pixel(max(to-from, 2)), Link: s.Link, Severity: s.Severity, Title: s.Name + ", fired from " + clockTime(s.From) + " to " + clockTime(s.To),
		})
	}
	c.Tips = in.tips(x)
	return c
}

// clean takes out what can't be drawn: no chart has numbers beyond 1e100.
func (in *chartOf) clean() {
	drawable := func(v float64) bool { return math.Abs(v) <= 1e100 } // not so NaN
	for i, l := range in.Curves {
		in.Curves[i].Values = slices.Clone(l.Values)
		for k, v := range l.Values {
			if !drawable(v) {
				in.Curves[i].Values[k] = math.NaN()
			}
		}
	}
	in.Levels = slices.DeleteFunc(slices.Clone(in.Levels), func(l level) bool { return !drawable(l.Value) })
	for i, r := range in.Ribbons {
		in.Ribbons[i].Points = slices.DeleteFunc(slices.Clone(r.Points), func(p ribbonEdge) bool { return !drawable(p.Low) || !drawable(p.High) })
	}
}

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

// line makes a curve's path: a stroke for each run of values.
func (in chartOf) line(l curve, x func(time.Time) float64, y func(float64) float64) drawnLine {
	out := drawnLine{Name: l.Name}
	var b strings.Builder
	at := func(i int) (string, string) {
		return pixel(x(in.middle(i))), pixel(y(l.Values[i]))
	}
	for i := 0; i < len(l.Values); {
		if math.IsNaN(l.Values[i]) {
			i++
			continue
		}
		end := i
		for end < len(l.Values) && !math.IsNaN(l.Values[end]) {
			end++
		}
		if end-i == 1 {
			px, py := at(i)
			out.Dots = append(out.Dots, dot{px, py})
		} else {
			for k := i; k < end; k++ {
				px, py := at(k)
				b.WriteString(map[bool]string{true: "M", false: "L"}[k == i] + px + " " + py)
			}
		}
		i = end
	}
	out.Path = b.String()
	return out
}

// middle is the middle of a grain.
func (in chartOf) middle(i int) time.Time {
	return in.From.Add(time.Duration(i)*in.Grain + in.Grain/2)
}

// ribbonPath goes along the upper edge and back along the lower.
func ribbonPath(points []ribbonEdge, x func(time.Time) float64, y func(float64) float64) string {
	if len(points) < 2 {
		return ""
	}
	var b strings.Builder
	for i, p := range points {
		b.WriteString(map[bool]string{true: "M", false: "L"}[i == 0] + pixel(x(p.At)) + " " + pixel(y(p.High)))
	}
	for _, p := range slices.Backward(points) {
		b.WriteString("L" + pixel(x(p.At)) + " " + pixel(y(p.Low)))
	}
	return b.String() + "Z"
}

// spreadNames moves the names of levels that are close together apart.
func (c *chart) spreadNames() {
	order := make([]*drawnLevel, len(c.Levels))
	for i := range c.Levels {
		order[i] = &c.Levels[i]
	}
	slices.SortStableFunc(order, func(a, b *drawnLevel) int { return cmp.Compare(a.Text, b.Text) })
	const apart = 13
	for i, l := range order {
		l.Text = max(l.Text, c.Top+10)
		if i > 0 {
			l.Text = max(l.Text, order[i-1].Text+apart)
		}
	}
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

// tips are columns that tell the values, where there aren't too many to point at.
func (in chartOf) tips(x func(time.Time) float64) (out []drawnTip) {
	n := 0
	for _, l := range in.Curves {
		n = max(n, len(l.Values))
	}
	if n > maxTips {
		return nil
	}
	for i := range n {
		from := in.From.Add(time.Duration(i) * in.Grain)
		text := clockTime(from)
		for _, l := range in.Curves {
			if i < len(l.Values) && !math.IsNaN(l.Values[i]) {
				text += "\n" + l.Name + ": " + amount(l.Values[i], in.Unit)
			}
		}
		for _, f := range in.Spans {
			if f.From.Before(from.Add(in.Grain)) && f.To.After(from) {
				text += "\nfired: " + f.Name
			}
		}
		a := x(from)
		out = append(out, drawnTip{pixel(a), pixel(x(from.Add(in.Grain)) - a), text})
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

// AreaHeight is that of the part that has the curves.
func (c *chart) AreaHeight() int { return c.Bottom - c.Top }

// YText is where the words at the ticks of the values end.
func (c *chart) YText() int { return c.Left - 8 }

// XMark is where the marks of times end.
func (c *chart) XMark() int { return c.Bottom + 5 }

// XText is the height of the words below them.
func (c *chart) XText() int { return c.Bottom + 20 }

// Middle is the middle of the area.
func (c *chart) Middle() int { return (c.Left + c.Right) / 2 }

// Half is its height.
func (c *chart) Half() int { return (c.Top + c.Bottom) / 2 }

// lineNames are the names of a chart's lines, with the number of their style.
func lineNames(lines []drawnLine) []drawnLine {
	if len(lines) < 2 {
		return nil
	}
	return lines
}
