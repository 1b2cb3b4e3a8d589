package text

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// appendString appends s as JSON. s is valid UTF-8.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			// U+2028 and U+2029 end a line in JavaScript.
			if c == 0xe2 && i+2 < len(s) && s[i+1] == 0x80 && s[i+2]&^1 == 0xa8 {
				b = append(append(b, s[start:i]...), `\u202`...)
				b = append(b, hex[s[i+2]&0xf])
				i += 3
				start = i
				continue
			}
			i++
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' && c != 0x7f {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

// hundredths is a score in [0, 1] as version 3 shows it.
func hundredths(score float64) int {
	if math.IsNaN(score) {
		return 0
	}
	return int(math.Round(min(max(score, 0), 1) * 100))
}

// appendHundredths appends n hundredths: 1.0, 0.99, 0.5.
func appendHundredths(b []byte, n int) []byte {
	b = append(b, byte('0'+n/100), '.', byte('0'+n/10%10))
	if n%10 != 0 {
		b = append(b, byte('0'+n%10))
	}
	return b
}

// appendScore appends a score with what digits it has, at most 16, always with a point.
func appendScore(b []byte, score float64) []byte {
	if math.IsNaN(score) {
		score = 0
	}
	score = min(max(score, 0), 1)
	n := len(b)
	b = strconv.AppendFloat(b, score, 'f', -1, 64)
	if len(b) == n+1 {
		b = append(b, '.', '0')
	}
	return b
}

// shares are three scores that add up to 1 as whole hundredths that do, too.
func (s Scores) shares() [3]int {
	v := [3]float64{s.Positive, s.Neutral, s.Negative}
	var out [3]int
	sum, biggest := 0, 0
	for i := range v {
		out[i] = hundredths(v[i])
		sum += out[i]
		if v[i] > v[biggest] {
			biggest = i
		}
	}
	out[biggest] = min(max(out[biggest]+100-sum, 0), 100)
	return out
}
