package arm

import (
	"testing"
	"time"
)

// What az sends: times without a zone, and values with blanks.
func TestParseLogFilter(t *testing.T) {
	t.Parallel()
	f, err := parseLogFilter("eventTimestamp ge 2026-11-27T11:28:55.501106 and eventTimestamp le '2026-11-27T12:28:55Z' and eventChannels eq 'Admin, Operation' and resourceGroupName eq 'rg 1' and caller eq 'me'")
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 11, 27, 11, 28, 55, 501106000, time.UTC); !f.from.Equal(want) || f.to.Minute() != 28 || f.group != "rg 1" || f.caller != "me" {
		t.Errorf("got %+v", f)
	}
	for _, bad := range []string{"eventTimestamp ge yesterday", "colour eq 'red'", "caller", "caller ge 'a'"} {
		if _, err := parseLogFilter(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
