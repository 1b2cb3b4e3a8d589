package portal

import (
	"cmp"
	"math"
	"slices"
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
