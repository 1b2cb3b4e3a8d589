package portal

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// timeline is the drawing of an incident: a row for each phase of the kill chain, a mark for each alert, time from left to right. Spans of time in which nothing happened
// are cut out, so that two sessions hours apart are both seen.
type timeline struct {
	Width, Height int
	Rows          []timeRow
	Marks         []timeMark
	Ticks         []timeTick
	Gaps          []timeGap
}

type timeRow struct {
	Name string
	Y    int
}

// timeMark is an alert from its first to its last observation.
type timeMark struct {
	X, Y, W         int
	Severity, Title string
	Link            string
}

type timeTick struct {
	X    int
	Text string
}

// timeGap is time left out.
type timeGap struct {
	X    int
	Text string
}

const (
	lineLeft, lineWidth, rowHeight, gapWidth = 150, 800, 28, 24
	stretchWidth                             = 110 // at least, while there is room: its time is written above it
	longestQuiet                             = 15 * time.Minute
)

// stretch is a span of time in which something happened, and where it is drawn.
type stretch struct {
	from, to time.Time
	x, w     float64
}

// stretches joins the spans of alerts that are close together and gives each its share of the width.
func stretches(members []alert) []stretch {
	spans := make([]stretch, 0, len(members))
	for _, m := range members {
		spans = append(spans, stretch{from: m.Properties.Start, to: m.Properties.End})
	}
	slices.SortFunc(spans, func(a, b stretch) int { return a.from.Compare(b.from) })
	var out []stretch
	for _, s := range spans {
		if n := len(out); n > 0 && s.from.Sub(out[n-1].to) <= longestQuiet {
			if s.to.After(out[n-1].to) {
				out[n-1].to = s.to
			}
			continue
		}
		out = append(out, s)
	}
	const least = time.Minute
	var total float64
	for i := range out {
		if out[i].to.Sub(out[i].from) < least {
			out[i].to = out[i].from.Add(least)
		}
		total += out[i].to.Sub(out[i].from).Seconds()
	}
	room := float64(max(lineWidth-gapWidth*(len(out)-1), 100))
	base := min(stretchWidth, room/float64(len(out)))
	x := float64(lineLeft)
	for i := range out {
		out[i].x, out[i].w = x, base+(room-base*float64(len(out)))*out[i].to.Sub(out[i].from).Seconds()/total
		x += out[i].w + gapWidth
	}
	return out
}

func newTimeline(members []alert) *timeline {
	spans := stretches(members)
	at := func(t time.Time) int {
		for _, s := range spans {
			if !t.After(s.to) {
				return int(s.x + s.w*max(t.Sub(s.from).Seconds(), 0)/s.to.Sub(s.from).Seconds())
			}
		}
		last := spans[len(spans)-1]
		return int(last.x + last.w)
	}
	l := &timeline{Width: lineLeft + lineWidth + 40}
	for _, phase := range append(slices.Clone(killChain), "Unknown") {
		y := 30 + len(l.Rows)*rowHeight
		found := false
		for _, m := range members {
			if firstPhase(m.Properties.Intent) != phase {
				continue
			}
			found = true
			x := at(m.Properties.Start)
			l.Marks = append(l.Marks, timeMark{
				X: x, Y: y, W: max(at(m.Properties.End)-x, 8), Severity: m.Properties.Severity, Link: m.Link(),
				Title: m.Properties.DisplayName + ", " + clockTime(m.Properties.Start) + ", seen " + m.Count() + " times",
			})
		}
		if found {
			l.Rows = append(l.Rows, timeRow{phase, y})
		}
	}
	l.Height = 30 + len(l.Rows)*rowHeight + 24
	for i, s := range spans {
		l.Ticks = append(l.Ticks, timeTick{int(s.x), s.from.UTC().Format("01-02 15:04:05")})
		if i > 0 {
			l.Gaps = append(l.Gaps, timeGap{int(s.x) - gapWidth/2, quiet(s.from.Sub(spans[i-1].to))})
		}
	}
	return l
}

// firstPhase is the first of the phases that an intent names; one that the kill chain doesn't have is "Unknown".
func firstPhase(intent string) string {
	first, _, _ := strings.Cut(intent, ",")
	if first = strings.TrimSpace(first); slices.Contains(killChain, first) {
		return first
	}
	return "Unknown"
}

func quiet(d time.Duration) string {
	if d >= 48*time.Hour {
		return strconv.Itoa(int(d.Hours()/24)) + " d"
	}
	if d >= time.Hour {
		return strconv.FormatFloat(d.Hours(), 'f', 1, 64) + " h"
	}
	return strconv.Itoa(int(d.Minutes())) + " min"
}
