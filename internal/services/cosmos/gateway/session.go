package gateway

import (
	"slices"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
)

// setRange sets what an answer about documents says of their range.
func (c *call) setRange(con *catalog.Container, s items.State) {
	lsn := strconv.FormatUint(uint64(s.LSN), 10)
	c.SetHeader("X-Ms-Session-Token", s.Range.ID+":-1#"+lsn)
	c.SetHeader("Lsn", lsn)
	c.SetHeader("X-Ms-Global-Committed-Lsn", lsn)
	if s.Range.ID == "0" {
		c.ShareHeader("X-Ms-Documentdb-Partitionkeyrangeid", rangeZero)
	} else {
		c.SetHeader("X-Ms-Documentdb-Partitionkeyrangeid", s.Range.ID)
	}
	c.ShareHeader("X-Ms-Content-Path", con.Derived.ContentPath)
	c.ShareHeader("X-Ms-Alt-Content-Path", con.Derived.AltContentPath)
}

// setRanges is setRange for an answer that several ranges have a part in: their session tokens are joined by commas.
func (c *call) setRanges(con *catalog.Container, states []items.State) {
	if len(states) == 1 {
		c.setRange(con, states[0])
		return
	}
	var b strings.Builder
	for i, s := range states {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(s.Range.ID + ":-1#" + strconv.FormatUint(uint64(s.LSN), 10))
	}
	c.SetHeader("X-Ms-Session-Token", b.String())
	c.ShareHeader("X-Ms-Content-Path", con.Derived.ContentPath)
	c.ShareHeader("X-Ms-Alt-Content-Path", con.Derived.AltContentPath)
}

// checkSession refuses a read that asks for a later state of the range than there is.
func (c *call) checkSession(s items.State) error {
	token := c.header("X-Ms-Session-Token")
	if token == "" {
		return nil
	}
	want, ok := sessionLSN(token, &s.Range)
	if !ok {
		return invalid("The session token '%s' is invalid.", token)
	}
	if want <= uint64(s.LSN) {
		return nil
	}
	return withSub(fault.New(fault.NotFound, "NotFound", "The read session is not available for the input session token."), subReadSession)
}

// sessionLSN finds what a session token says of a range, or of those it came from: `0:-1#7`, `0:2#7#1=6`, `0:7`, several joined by commas. What it
// says of other ranges does not matter.
func sessionLSN(token string, r *items.Range) (lsn uint64, ok bool) {
	for part := range strings.SplitSeq(token, ",") {
		id, rest, found := strings.Cut(strings.TrimSpace(part), ":")
		if !found {
			return 0, false
		}
		global := rest
		if _, after, vector := strings.Cut(rest, "#"); vector {
			global, _, _ = strings.Cut(after, "#")
		}
		n, err := strconv.ParseUint(global, 10, 64)
		if err != nil {
			return 0, false
		}
		if id == r.ID || slices.Contains(r.Parents, id) {
			lsn = max(lsn, n)
		}
	}
	return lsn, true
}
