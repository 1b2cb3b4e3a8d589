package portal

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var ten = time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)

// An hour of ten grains on an area of 850 by 260 pixels that begins at (70, 20): a grain is 85 wide, and 100 percent 260 high.
func hourOf(values ...float64) chartOf {
	return chartOf{From: ten, To: ten.Add(time.Hour), Grain: 6 * time.Minute, Unit: "Percent", Curves: []curve{{"cpu", values}}}
}

func TestChart_Gaps(t *testing.T) {
	t.Parallel()
	no := math.NaN()
	c := hourOf(50, 100, no, no, 0, no, 25, 75, 50, no).draw()
	want := drawnLine{Name: "cpu", Path: "M112.5 150L197.5 20M622.5 215L707.5 85L792.5 150", Dots: []dot{{"452.5", "280"}}}
	if diff := cmp.Diff(want, c.Lines[0]); diff != "" {
		t.Errorf("the line (-want +got):\n%s", diff)
	}
	if c.Empty {
		t.Error("a chart with data is empty")
	}
	if c := hourOf(no, no).draw(); !c.Empty || c.Lines[0].Path != "" {
		t.Errorf("a chart without data: %+v", c.Lines)
	}
}

func TestChart_ThresholdBandAndSpans(t *testing.T) {
	t.Parallel()
	in := hourOf(50, 90)
	in.Levels = []level{{"high", 80}, {"higher", 81}}
	in.Ribbons = []ribbon{{"usual", []ribbonEdge{{ten, 40, 60}, {ten.Add(30 * time.Minute), 45, 65}}}, {"unknown", nil}}
	in.Spans = []firedSpan{
		{Name: "a", Severity: 1, From: ten.Add(6 * time.Minute), To: ten.Add(18 * time.Minute)},
		{Name: "b", Severity: 2, From: ten.Add(-time.Hour), To: ten.Add(30 * time.Minute)}, // began before
		{Name: "c", Severity: 3, From: ten.Add(54 * time.Minute), To: ten.Add(3 * time.Hour)},
		{Name: "d", From: ten.Add(-time.Hour), To: ten.Add(-time.Minute)}, // over before
	}
	c := in.draw()
	if diff := cmp.Diff([]drawnLevel{{"high", "72", 78}, {"higher", "69.4", 65}}, c.Levels); diff != "" { // their names are 13 pixels apart
		t.Errorf("levels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]drawnRibbon{{"usual", "M70 124L495 111L495 163L70 176Z"}}, c.Ribbons); diff != "" {
		t.Errorf("the band (-want +got):\n%s", diff)
	}
	type place struct{ X, W string }
	var got []place
	for _, s := range c.Spans {
		got = append(got, place{s.X, s.W})
	}
	if diff := cmp.Diff([]place{{"155", "170"}, {"70", "425"}, {"835", "85"}}, got); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if tip := c.Tips[1]; tip.X != "155" || tip.W != "85" || tip.Text != "2026-01-02 10:06:00\ncpu: 90 %\nfired: a\nfired: b" {
		t.Errorf("the second grain says %+v", tip)
	}
}

func TestChart_Axes(t *testing.T) {
	t.Parallel()
	texts := func(all []drawnTick) (out []string) {
		for _, k := range all {
			out = append(out, k.Text)
		}
		return out
	}
	for name, test := range map[string]struct {
		in   chartOf
		y, x string
	}{
		"percent":      {hourOf(1, 2), "0 %,20 %,40 %,60 %,80 %,100 %", "10:00,10:10,10:20,10:30,10:40,10:50,11:00"},
		"over 100":     {hourOf(130), "0 %,50 %,100 %,150 %", "10:00,10:10,10:20,10:30,10:40,10:50,11:00"},
		"bytes":        {chartOf{From: ten, To: ten.Add(24 * time.Hour), Unit: "Bytes", Curves: []curve{{"", []float64{3 << 30}}}}, "0 B,1 GB,2 GB,3 GB", "2 Jan 12:00,15:00,18:00,21:00,3 Jan 00:00,03:00,06:00,09:00"},
		"below zero":   {chartOf{From: ten, To: ten.Add(8 * time.Minute), Curves: []curve{{"", []float64{-3, 4}}}}, "-4,-2,0,2,4", "10:00,10:01,10:02,10:03,10:04,10:05,10:06,10:07,10:08"},
		"one value":    {chartOf{From: ten, To: ten.Add(time.Hour), Curves: []curve{{"", []float64{0, 0}}}}, "0,0.2,0.4,0.6,0.8,1", "10:00,10:10,10:20,10:30,10:40,10:50,11:00"},
		"a threshold":  {chartOf{From: ten, To: ten.Add(time.Hour), Levels: []level{{"", 10}}}, "0,2,4,6,8,10", "10:00,10:10,10:20,10:30,10:40,10:50,11:00"},
		"three weeks":  {chartOf{From: ten, To: ten.Add(30 * 24 * time.Hour)}, "0,0.2,0.4,0.6,0.8,1", "5 Jan,12 Jan,19 Jan,26 Jan"},
		"small values": {chartOf{From: ten, To: ten.Add(time.Hour), Curves: []curve{{"", []float64{0.001}}}}, "0,0.0002,0.0004,0.0006,0.0008,0.001", "10:00,10:10,10:20,10:30,10:40,10:50,11:00"},
	} {
		c := test.in.draw()
		if y, x := strings.Join(texts(c.YTicks), ","), strings.Join(texts(c.XTicks), ","); y != test.y || x != test.x {
			t.Errorf("%s: the axes are\n%s\n%s, want\n%s\n%s", name, y, x, test.y, test.x)
		}
	}
}

// Whatever the numbers are, everything drawn is inside.
func FuzzChart(f *testing.F) {
	f.Add(1.0, 2.0, 80.0, int64(60), int64(1))
	f.Add(math.Inf(1), math.NaN(), -1e300, int64(1), int64(90))
	f.Add(1e308, -1e308, 0.0, int64(1<<40), int64(0))
	f.Fuzz(func(t *testing.T, a, b, threshold float64, minutes, grain int64) {
		if minutes < 0 || minutes > 60*24*93 || grain < 1 || grain > 1440 {
			t.Skip()
		}
		in := chartOf{
			From: ten, To: ten.Add(time.Duration(minutes) * time.Minute), Grain: time.Duration(grain) * time.Minute, Curves: []curve{{"", []float64{a, b, a, math.NaN(), b}}}, Levels: []level{{"", threshold}},
			Ribbons: []ribbon{{"", []ribbonEdge{{ten, a, b}, {ten, b, a}}}}, Spans: []firedSpan{{From: ten, To: ten.Add(time.Minute)}},
		}
		var out bytes.Buffer
		if err := pages["metrics"].ExecuteTemplate(&out, "chart", in.draw()); err != nil {
			t.Fatal(err)
		}
		if s := out.String(); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
			t.Errorf("the drawing of %v, %v, %v has no numbers in it: %.2000s", a, b, threshold, s)
		}
	})
}
