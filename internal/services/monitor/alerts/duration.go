package alerts

import (
	"strconv"
	"strings"
)

// maxMinutes is the longest window of a rule: a day.
const maxMinutes = 24 * 60

// parseMinutes reads an ISO 8601 duration of whole minutes up to a day, such as PT5M, PT2H, P1D, PT1H30M; or the form 00:05:00.
func parseMinutes(s string) (minutes int64, ok bool) {
	if parts := strings.Split(s, ":"); len(parts) == 3 {
		for i, unit := range []int64{60, 1, 0} {
			n, err := strconv.ParseUint(parts[i], 10, 16)
			if err != nil || unit == 0 && n != 0 {
				return 0, false
			}
			minutes += int64(n) * unit
		}
		return minutes, minutes > 0 && minutes <= maxMinutes
	}
	rest, found := strings.CutPrefix(strings.ToUpper(s), "P")
	if !found {
		return 0, false
	}
	date, clock, _ := strings.Cut(rest, "T")
	if rest == "" || strings.HasSuffix(rest, "T") {
		return 0, false
	}
	var seconds int64
	for _, part := range []struct {
		text  string
		units map[byte]int64
	}{{date, map[byte]int64{'W': 7 * 86400, 'D': 86400}}, {clock, map[byte]int64{'H': 3600, 'M': 60, 'S': 1}}} {
		for text := part.text; text != ""; {
			i := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
			if i <= 0 {
				return 0, false
			}
			n, err := strconv.ParseUint(text[:i], 10, 20)
			unit := part.units[text[i]]
			if err != nil || unit == 0 {
				return 0, false
			}
			seconds += int64(n) * unit
			text = text[i+1:]
		}
	}
	return seconds / 60, seconds > 0 && seconds%60 == 0 && seconds/60 <= maxMinutes
}

// formatMinutes writes the shortest such duration.
func formatMinutes(m int64) string {
	switch {
	case m%(24*60) == 0:
		return "P" + strconv.FormatInt(m/(24*60), 10) + "D"
	case m%60 == 0:
		return "PT" + strconv.FormatInt(m/60, 10) + "H"
	case m < 60:
		return "PT" + strconv.FormatInt(m, 10) + "M"
	}
	return "PT" + strconv.FormatInt(m/60, 10) + "H" + strconv.FormatInt(m%60, 10) + "M"
}
