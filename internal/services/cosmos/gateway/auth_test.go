package gateway

import (
	"net/http"
	"testing"
	"time"
)

// TestParseDate compares the short way with the standard library's.
func TestParseDate(t *testing.T) {
	t.Parallel()
	texts := []string{
		"", "Fri, 27 Nov 2026 04:00:40", "Fri, 27 Nov 2026 04:00:40 UTC", "Fri, 31 Feb 2026 04:00:40 GMT", "Fri, 31 Jan 2026 04:00:40 GMT", "Fri, 29 Feb 2028 04:00:40 GMT",
		"Fri, 27 Nov 2026 24:00:40 GMT", "Fri, 27 Nov 2026 23:60:40 GMT", "Fri, 27 Nov 2026 23:59:60 GMT", "Xxx, 27 Nov 2026 04:00:40 GMT", "on , 27 Nov 2026 04:00:40 GMT",
		"Fri, 27 ov  2026 04:00:40 GMT", "Fri, 27 nov 2026 04:00:40 GMT", "fri, 27 Nov 2026 04:00:40 GMT", "Fri, -7 Nov 2026 04:00:40 GMT", "Fri, 00 Nov 2026 04:00:40 GMT", "Fri, 27 Nov 0000 04:00:40 GMT",
		"Friday, 27-Nov-26 04:00:40 GMT", "Fri Nov 27 04:00:40 2026", "Fri, 27 Nov 20:6 04:00:40 GMT",
	}
	for at := time.Date(1999, 12, 25, 23, 59, 50, 0, time.UTC); at.Year() < 2003; at = at.Add(31*time.Hour + 7*time.Minute + 13*time.Second) {
		texts = append(texts, at.Format(http.TimeFormat))
	}
	for _, text := range texts {
		want, wantErr := http.ParseTime(text)
		got, err := parseDate(text)
		if !got.Equal(want) || (err == nil) != (wantErr == nil) {
			t.Errorf("%q: %v, %v; want %v, %v", text, got, err, want, wantErr)
		}
	}
}
