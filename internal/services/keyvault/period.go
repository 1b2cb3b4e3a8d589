package keyvault

import (
	"strings"
	"time"
)

// period is an ISO 8601 duration of calendar units, such as P90D or P1Y6M.
type period struct{ years, months, days int }

const maxPeriodDigits = 5

// parsePeriod reads P[nY][nM][nW][nD]. Parts smaller than a day are no part of it: a worker does not look that closely.
func parsePeriod(text string) (period, bool) {
	var p period
	rest, ok := strings.CutPrefix(strings.ToUpper(text), "P")
	if !ok || rest == "" {
		return p, false
	}
	units := "YMWD"
	for rest != "" {
		n, digits := 0, 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' && digits < maxPeriodDigits {
			n = n*10 + int(rest[digits]-'0')
			digits++
		}
		if digits == 0 || digits == len(rest) {
			return period{}, false
		}
		at := strings.IndexByte(units, rest[digits])
		if at < 0 {
			return period{}, false
		}
		switch units[at] {
		case 'Y':
			p.years = n
		case 'M':
			p.months = n
		case 'W':
			p.days += 7 * n
		case 'D':
			p.days += n
		}
		units, rest = units[at+1:], rest[digits+1:]
	}
	return p, true
}

// after is the period later than t, unix seconds.
func (p period) after(t int64) int64 {
	return time.Unix(t, 0).UTC().AddDate(p.years, p.months, p.days).Unix()
}

// before is the period earlier than t.
func (p period) before(t int64) int64 {
	return time.Unix(t, 0).UTC().AddDate(-p.years, -p.months, -p.days).Unix()
}

// length is the period from a fixed day on, to compare periods.
func (p period) length() int64 { return p.after(0) }

const day = 24 * 60 * 60
