package authlog

import (
	"bytes"
	"strconv"
	"time"
)

// when reads the time a line begins with: "Dec 10 11:02:44" as RFC 3164 has it (and journalctl -o short, with a fraction -o short-precise), or "2024-03-11T09:15:01.123456+01:00" as RFC 5424 has
// it, also with +0100 as journalctl -o short-iso writes it. A month says little of the year: the last one in which it was not later than now.
func (p *Parser) when(line []byte) (at time.Time, rest []byte, ok bool) {
	if len(line) > 0 && line[0] >= '0' && line[0] <= '9' {
		stamp, rest, _ := bytes.Cut(line, []byte{' '})
		if at, err := time.Parse(time.RFC3339Nano, string(stamp)); err == nil {
			return at, rest, true
		}
		at, err := time.Parse("2006-01-02T15:04:05.999999999-0700", string(stamp))
		return at, rest, err == nil
	}
	const width = len("Dec 10 11:02:44")
	if len(line) <= width {
		return at, nil, false
	}
	rest = line[width:]
	var fraction time.Duration
	if rest[0] == '.' {
		end := bytes.IndexByte(rest, ' ')
		if end < 2 || end > 10 || !number(rest[1:end]) {
			return at, nil, false
		}
		f, _ := strconv.ParseFloat(string(rest[:end]), 64)
		fraction, rest = time.Duration(f*1e9), rest[end:]
	}
	if rest[0] != ' ' {
		return at, nil, false
	}
	if string(line[:width]) == p.stamp { // many lines of the same second
		return p.stamped.Add(fraction), rest[1:], true
	}
	zone, now := p.Zone, time.Now
	if p.Now != nil {
		now = p.Now
	}
	if zone == nil {
		zone = time.UTC
	}
	year := now().In(zone).Year()
	// The 29th of February is no day of most years: take the latest year that has it.
	for y := year; y > year-9; y-- {
		at, err := time.ParseInLocation("2006 Jan _2 15:04:05", strconv.Itoa(y)+" "+string(line[:width]), zone)
		if err == nil && !at.After(now().Add(24*time.Hour)) {
			p.stamp, p.stamped = string(line[:width]), at
			return at.Add(fraction), rest[1:], true
		}
	}
	return at, nil, false
}
