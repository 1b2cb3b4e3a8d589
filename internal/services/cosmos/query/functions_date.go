package query

import (
	"fmt"
	"strings"
	"time"
)

// dateFunctions work on texts as parseInstant reads them, on ticks of 100 ns and on milliseconds since 1970.
var dateFunctions = []function{
	{name: "DateTimeAdd", min: 3, max: 3, three: dateTimeAdd},
	{name: "DateTimeBin", min: 2, max: 4, many: dateTimeBin},
	{name: "DateTimeDiff", min: 3, max: 3, three: dateTimeDiff},
	{name: "DateTimeFormat", min: 2, max: 2, two: dateTimeFormat},
	{name: "DateTimeFromParts", min: 3, max: 7, many: dateTimeFromParts},
	{name: "DateTimePart", min: 2, max: 2, two: func(name, date Value) Value { return readPart(partOf(name), date) }},
	{name: "YEAR", min: 1, max: 1, one: func(date Value) Value { return readPart(partYear, date) }},
	{name: "MONTH", min: 1, max: 1, one: func(date Value) Value { return readPart(partMonth, date) }},
	{name: "DAY", min: 1, max: 1, one: func(date Value) Value { return readPart(partDay, date) }},
	{name: "DateTimeToTicks", min: 1, max: 1, one: func(date Value) Value { return dateNumber(date, 1) }},
	{name: "DateTimeToTimestamp", min: 1, max: 1, one: func(date Value) Value { return dateNumber(date, ticksPerMilli) }},
	{name: "TicksToDateTime", min: 1, max: 1, one: func(n Value) Value { return numberDate(n, 1) }},
	{name: "TimestampToDateTime", min: 1, max: 1, one: func(n Value) Value { return numberDate(n, ticksPerMilli) }},
	current("GetCurrentDateTime", instant.value),
	current("GetCurrentTicks", func(t instant) Value { return Number(float64(t)) }),
	current("GetCurrentTimestamp", func(t instant) Value { return Number(float64(t / ticksPerMilli)) }),
	static("GetCurrentDateTimeStatic", instant.value),
	static("GetCurrentTicksStatic", func(t instant) Value { return Number(float64(t)) }),
	static("GetCurrentTimestampStatic", func(t instant) Value { return Number(float64(t / ticksPerMilli)) }),
}

const ticksPerMilli = 10_000

// current is a function of the time at which it is called.
func current(name string, of func(instant) Value) function {
	return function{name: name, with: func(f *frame, _ []Value) Value { return of(instantOf(f.now())) }}
}

// static is a function of the time at which the run first asked for it.
func static(name string, of func(instant) Value) function {
	return function{name: name, with: func(f *frame, _ []Value) Value {
		if f.static.IsZero() {
			f.static = f.now()
		}
		return of(instantOf(f.static))
	}}
}

func dateTimeAdd(name, n, date Value) Value {
	p := partOf(name)
	k, ok1 := n.int64()
	t, ok2 := parseInstant(date)
	if p == noPart || !ok1 || !ok2 {
		return Undefined
	}
	out, ok := t.add(p, k)
	if !ok {
		return Undefined
	}
	return out.value()
}

// dateTimeBin rounds down to a multiple of a size in days or less, counted from a beginning.
func dateTimeBin(args []Value) Value {
	t, ok := parseInstant(args[0])
	p := partOf(args[1])
	if !ok || p < partDay {
		return Undefined
	}
	size, from := int64(1), instant(0)
	if len(args) > 2 && args[2].kind != KindUndefined {
		if size, ok = args[2].int64(); !ok || size < 1 {
			return Undefined
		}
	}
	if len(args) > 3 && args[3].kind != KindUndefined {
		if from, ok = parseInstant(args[3]); !ok || from < windowsEpoch {
			return Undefined
		}
	}
	width := max(1, size/100) // of nanoseconds, in ticks
	if p != partNano {
		if size > int64(lastInstant-firstInstant)/p.ticks() {
			return Undefined
		}
		width = size * p.ticks()
	}
	_, rest := floorDiv(int64(t-from), width)
	return (t - instant(rest)).value()
}

// dateTimeDiff counts the boundaries of a part that are crossed on the way from one date to another.
func dateTimeDiff(name, from, to Value) Value {
	p := partOf(name)
	a, ok1 := parseInstant(from)
	b, ok2 := parseInstant(to)
	switch {
	case p == noPart || !ok1 || !ok2:
		return Undefined
	case p == partNano:
		return Number(float64(b-a) * 100)
	}
	return Number(float64(b.index(p) - a.index(p)))
}

func dateTimeFromParts(args []Value) Value {
	var at [6]int
	fraction := int64(0)
	for i, a := range args {
		n, ok := a.int64()
		if !ok || n < 0 || n > 9_999_999 {
			return Undefined
		}
		if i == 6 {
			fraction = n
		} else {
			at[i] = int(n)
		}
	}
	t, ok := instantFrom(at, fraction)
	if !ok {
		return Undefined
	}
	return t.value()
}

func readPart(p part, date Value) Value {
	t, ok := parseInstant(date)
	if p == noPart || !ok {
		return Undefined
	}
	return Number(float64(t.read(p)))
}

func dateNumber(date Value, ticks int64) Value {
	t, ok := parseInstant(date)
	if !ok {
		return Undefined
	}
	n, _ := floorDiv(int64(t), ticks)
	return Number(float64(n))
}

func numberDate(n Value, ticks int64) Value {
	k, ok := n.int64()
	if !ok || k > int64(lastInstant)/ticks || k < int64(firstInstant)/ticks {
		return Undefined
	}
	return instant(k * ticks).value()
}

// dateTimeFormat writes a date by a pattern of y, M, d, H, h, m, s, f, F and t; a backslash takes the next character as it is.
func dateTimeFormat(date, pattern Value) Value {
	t, ok := parseInstant(date)
	if !ok || pattern.kind != KindString {
		return Undefined
	}
	d := t.time()
	var b strings.Builder
	for s := pattern.str; s != "" && b.Len() <= maxString; {
		c, n := s[0], 1
		for n < len(s) && s[n] == c {
			n++
		}
		switch {
		case c == '\\' && len(s) > 1:
			b.WriteByte(s[1]) // the rest of a longer character follows by itself
			s = s[2:]
			continue
		case !formatPart(&b, d, c, n):
			b.WriteByte(c)
			n = 1
		}
		s = s[n:]
	}
	return String(b.String())
}

// formatPart writes a run of n letters c; false means that they are no specifier.
func formatPart(b *strings.Builder, d time.Time, c byte, n int) bool {
	number := func(v int) { fmt.Fprintf(b, "%0*d", min(n, 2), v) }
	switch c {
	case 'y':
		if n > 2 {
			fmt.Fprintf(b, "%0*d", min(n, 8), d.Year())
		} else {
			number(d.Year() % 100)
		}
	case 'M':
		named(b, n, d.Month().String(), number, int(d.Month()))
	case 'd':
		named(b, n, d.Weekday().String(), number, d.Day())
	case 'H':
		number(d.Hour())
	case 'h':
		number((d.Hour()+11)%12 + 1)
	case 'm':
		number(d.Minute())
	case 's':
		number(d.Second())
	case 'f', 'F':
		if n > 7 {
			return false
		}
		digits := fmt.Sprintf("%07d", d.Nanosecond()/100)[:n]
		if c == 'F' {
			digits = strings.TrimRight(digits, "0")
		}
		b.WriteString(digits)
	case 't':
		b.WriteString(d.Format("PM")[:min(n, 2)])
	default:
		return false
	}
	return true
}

// named writes a number, or from three letters on a name: short, then whole.
func named(b *strings.Builder, n int, name string, number func(int), v int) {
	switch {
	case n < 3:
		number(v)
	case n == 3:
		b.WriteString(name[:3])
	default:
		b.WriteString(name)
	}
}
