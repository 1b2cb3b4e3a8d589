package query

import (
	"math"
	"time"
)

// instant is a point in time as the language sees it: ticks of 100 ns since 1970, in the years 1 to 9999.
type instant int64

const (
	ticksPerSecond = 10_000_000
	ticksPerDay    = 86_400 * ticksPerSecond
)

var (
	firstInstant = instantOf(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC))
	lastInstant  = instantOf(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)) - 1
	windowsEpoch = instantOf(time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC))
)

func instantOf(t time.Time) instant {
	return instant(t.Unix()*ticksPerSecond + int64(t.Nanosecond())/100)
}

func (t instant) time() time.Time {
	seconds, rest := floorDiv(int64(t), ticksPerSecond)
	return time.Unix(seconds, rest*100).UTC()
}

// floorDiv divides towards minus infinity; the rest is never negative. d is positive.
func floorDiv(n, d int64) (quotient, rest int64) {
	quotient, rest = n/d, n%d
	if rest < 0 {
		return quotient - 1, rest + d
	}
	return quotient, rest
}

// value is the text of an instant; one out of range is undefined.
func (t instant) value() Value {
	if t < firstInstant || t > lastInstant {
		return Undefined
	}
	return String(t.time().Format("2006-01-02T15:04:05.0000000Z"))
}

// parseInstant reads YYYY-MM-DD[(T| )hh:mm:ss[.f{1,7}]][Z], the forms that the service takes.
func parseInstant(v Value) (t instant, ok bool) {
	s := v.Str()
	if n := len(s); n > 0 && s[n-1] == 'Z' {
		s = s[:n-1]
	}
	const form = "0000-00-00T00:00:00"
	var at [6]int // year, month, day, hour, minute, second
	if len(s) != 10 && len(s) < len(form) {
		return 0, false
	}
	field := 0
	for i := 0; i < min(len(s), len(form)); i++ {
		switch c := s[i]; {
		case form[i] == '0':
			if c < '0' || c > '9' {
				return 0, false
			}
			at[field] = at[field]*10 + int(c-'0')
		case form[i] == c, form[i] == 'T' && c == ' ':
			field++
		default:
			return 0, false
		}
	}
	fraction := int64(0)
	if len(s) > len(form) {
		digits := s[len(form)+1:]
		if s[len(form)] != '.' || len(digits) == 0 || len(digits) > 7 {
			return 0, false
		}
		for i := range 7 {
			fraction *= 10
			if i < len(digits) {
				if digits[i] < '0' || digits[i] > '9' {
					return 0, false
				}
				fraction += int64(digits[i] - '0')
			}
		}
	}
	return instantFrom(at, fraction)
}

// instantFrom makes an instant of year, month, day, hour, minute and second; ok is false where there is no such.
func instantFrom(at [6]int, fraction int64) (t instant, ok bool) {
	if at[0] < 1 || at[0] > 9999 || at[1] < 1 || at[1] > 12 || at[2] < 1 || at[3] < 0 || at[3] > 23 || at[4] < 0 || at[4] > 59 || at[5] < 0 || at[5] > 59 {
		return 0, false
	}
	day := time.Date(at[0], time.Month(at[1]), at[2], at[3], at[4], at[5], 0, time.UTC)
	if day.Day() != at[2] {
		return 0, false
	}
	return instantOf(day) + instant(fraction), true
}

// part is a part of a date.
type part uint8

const (
	noPart part = iota
	partYear
	partMonth
	partDay
	partHour
	partMinute
	partSecond
	partMilli
	partMicro
	partNano
)

// partOf reads the name of a part.
func partOf(v Value) part {
	switch v.Str() {
	case "year", "yyyy", "yy":
		return partYear
	case "month", "mm", "m":
		return partMonth
	case "day", "dd", "d":
		return partDay
	case "hour", "hh":
		return partHour
	case "minute", "mi", "n":
		return partMinute
	case "second", "ss", "s":
		return partSecond
	case "millisecond", "ms":
		return partMilli
	case "microsecond", "mcs":
		return partMicro
	case "nanosecond", "ns":
		return partNano
	}
	return noPart
}

// ticks is the length of a part that always has the same; 0 for years, months and what is shorter than a tick.
func (p part) ticks() int64 {
	return [...]int64{partDay: ticksPerDay, partHour: 3600 * ticksPerSecond, partMinute: 60 * ticksPerSecond, partSecond: ticksPerSecond, partMilli: 10_000, partMicro: 10, partNano: 0}[p]
}

// add is t moved by n parts; a day that the month does not have becomes its last.
func (t instant) add(p part, n int64) (instant, bool) {
	switch p {
	case partYear, partMonth:
		if n < -1e6 || n > 1e6 {
			return 0, false
		}
		if p == partYear {
			n *= 12
		}
		d := t.time()
		month := int64(d.Year())*12 + int64(d.Month()) - 1 + n
		year, m := floorDiv(month, 12)
		if year < 1 || year > 9999 {
			return 0, false
		}
		last := time.Date(int(year), time.Month(m)+2, 0, 0, 0, 0, 0, time.UTC).Day()
		first := time.Date(int(year), time.Month(m)+1, 1, 0, 0, 0, 0, time.UTC)
		_, inDay := floorDiv(int64(t), ticksPerDay)
		return instantOf(first) + instant(int64(min(d.Day(), last)-1)*ticksPerDay+inDay), true
	case partNano:
		n /= 100
		return t + instant(n), n > -1<<61 && n < 1<<61
	}
	size := p.ticks()
	if n > math.MaxInt64/4/size || n < -math.MaxInt64/4/size {
		return 0, false
	}
	return t + instant(n*size), true
}

// index counts the parts that have begun before t, from an arbitrary but fixed one; nanoseconds are counted by the caller.
func (t instant) index(p part) int64 {
	switch p {
	case partYear:
		return int64(t.time().Year())
	case partMonth:
		return int64(t.time().Year())*12 + int64(t.time().Month())
	}
	n, _ := floorDiv(int64(t), p.ticks())
	return n
}

// read is one part of t.
func (t instant) read(p part) int64 {
	d := t.time()
	switch p {
	case partYear:
		return int64(d.Year())
	case partMonth:
		return int64(d.Month())
	case partDay:
		return int64(d.Day())
	case partHour:
		return int64(d.Hour())
	case partMinute:
		return int64(d.Minute())
	case partSecond:
		return int64(d.Second())
	case partMilli:
		return int64(d.Nanosecond()) / 1e6
	case partMicro:
		return int64(d.Nanosecond()) / 1e3
	}
	return int64(d.Nanosecond())
}
