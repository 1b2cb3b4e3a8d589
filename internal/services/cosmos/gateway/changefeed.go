package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Kinds of change feeds, as the A-IM header names them, in lower case.
const (
	feedLatest = "incremental feed"
	feedFull   = "full-fidelity feed"
)

// feedStart is where a client wants to read a change feed on.
type feedStart struct {
	now       bool
	since     int64         // seconds
	positions []feedReached // by max; nil: from the beginning
}

// feedReached is the LSN up to which the ranges of a stretch of EPKs have been read, from the end of the stretch before it.
type feedReached struct {
	max string
	lsn uint64
}

// parseFeedStart reads If-None-Match and If-Modified-Since. A position is an LSN; of a feed over several ranges, "lsn@max" for each, joined by
// commas. An LSN alone counts for all ranges: those that came from the one it was read from have gone on counting.
func (c *call) parseFeedStart() (feedStart, error) {
	var s feedStart
	if text := c.header("If-Modified-Since"); text != "" {
		at, err := http.ParseTime(text)
		if err != nil {
			return s, invalid("The header if-modified-since is invalid: it is a date in the form of RFC 1123.")
		}
		s.since = at.Unix()
	}
	text := strings.Trim(c.header("If-None-Match"), `"`)
	switch text {
	case "":
		return s, nil
	case "*":
		s.now = true
		return s, nil
	}
	var err error
	s.positions, err = parsePositions(text)
	return s, err
}

func parsePositions(text string) (out []feedReached, err error) {
	bad := invalid("The header if-none-match is invalid: it is the etag of a change feed, or *.")
	if len(text) > maxToken {
		return nil, bad
	}
	for part := range strings.SplitSeq(text, ",") {
		lsn, end, several := strings.Cut(part, "@")
		if !several {
			end = pkey.MaxEPK
		}
		n, err := strconv.ParseUint(lsn, 10, 63)
		if err != nil || end == "" || !isHex(end) || len(out) > 0 && end <= out[len(out)-1].max {
			return nil, bad
		}
		out = append(out, feedReached{end, n})
	}
	return out, nil
}

// sections are the ranges, cut where what was read up to ends: of a range that came from a merge, each parent's EPKs go on from where it was read.
func (s *feedStart) sections(ranges []items.Range, sel items.Selection) []section {
	cuts := make([]string, len(s.positions))
	for i, p := range s.positions {
		cuts[i] = p.max
	}
	return sections(ranges, sel, "", cuts)
}

// of is where to begin in a section.
func (s *feedStart) of(r *section) uint64 {
	for _, p := range s.positions {
		if p.max > r.Min {
			return p.lsn
		}
	}
	return 0
}

// feedTag writes where a feed stands.
func feedTag(at []feedReached) string {
	if len(at) == 1 {
		return `"` + strconv.FormatUint(at[0].lsn, 10) + `"`
	}
	var b strings.Builder
	for i, p := range at {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(p.lsn, 10) + "@" + p.max)
	}
	return `"` + b.String() + `"`
}

// changeFeed answers a page of a change feed, or, when there is nothing new, 304 with the etag to ask with next.
func (g *Gateway) changeFeed(ctx context.Context, c *call, con *catalog.Container) (any, error) {
	kind := strings.ToLower(c.header("A-Im"))
	if kind != feedLatest && kind != feedFull {
		return nil, invalid("The value '%s' of the header A-IM is invalid; it is Incremental Feed or Full-Fidelity Feed.", c.header("A-Im"))
	}
	limit, sel, ranges, err := g.admitFeed(c, con)
	if err != nil {
		return nil, err
	}
	start, err := c.parseFeedStart()
	if err != nil {
		return nil, err
	}
	if err := checkFull(kind, con, &start); err != nil {
		return nil, err
	}
	states, err := g.states(ctx, c, ranges)
	if err != nil {
		return nil, err
	}
	read := start.sections(ranges, sel)
	rows, at, err := g.readChanges(ctx, kind, read, &start, states, limit)
	if err != nil {
		return nil, err
	}
	at, caughtUp := joined(read, at, states)
	size := 0
	for _, r := range rows {
		size += len(r)
	}
	c.setRanges(con, states)
	c.SetHeader("Etag", feedTag(at))
	if len(rows) == 0 && caughtUp {
		c.setCharge(chargeRows(1, 0, 0))
		return &wire.Reply{Status: http.StatusNotModified}, nil
	}
	return c.feedReply("Documents", con.Derived.RID, rows, chargeRows(1, len(rows), size)), nil
}

// joined is where a feed stands, with sections of a range in one that stand at the same LSN. caughtUp tells whether that is, in all of them, what was
// there when the request came.
func joined(read []section, at []feedReached, states []items.State) (out []feedReached, caughtUp bool) {
	caughtUp = true
	for i, s := range read {
		caughtUp = caughtUp && at[i].lsn >= uint64(states[s.of].LSN)
		if i > 0 && read[i-1].of == s.of && at[i-1].lsn == at[i].lsn {
			out[len(out)-1].max = at[i].max
		} else {
			out = append(out, at[i])
		}
	}
	return out, caughtUp
}

// checkFull applies what the full-fidelity feed asks for: a retention, and a start that its log can have.
func checkFull(kind string, con *catalog.Container, start *feedStart) error {
	switch {
	case kind != feedFull:
		return nil
	case con.Derived.Retention == 0:
		return invalid("The container has no full-fidelity change feed: set retentionDuration (minutes) in its changeFeedPolicy.")
	case !start.now && start.positions == nil:
		return invalid("A full-fidelity change feed can be read from now (If-None-Match: *) or from a continuation, not from the beginning or a point in time. " +
			"You must read the change feed from within the retention period.")
	}
	return nil
}

// readChanges reads a page over the sections, one after the other, and gives where it then stands in each.
func (g *Gateway) readChanges(ctx context.Context, kind string, read []section, start *feedStart, states []items.State, limit int) (
	rows []json.RawMessage, at []feedReached, err error,
) {
	at = make([]feedReached, len(read))
	size := pageBytes
	for i := range read {
		r := &read[i]
		at[i] = feedReached{r.Max, start.of(r)}
		switch {
		case start.now:
			at[i].lsn = uint64(states[r.of].LSN)
			continue
		case len(rows) >= limit || size <= 0:
			continue
		}
		var page items.FeedPage
		if kind == feedFull {
			page, err = g.Items.Images(ctx, r.Range, r.sel, at[i].lsn, limit-len(rows), size)
		} else {
			page, err = g.Items.Changes(ctx, r.Range, r.sel, at[i].lsn, start.since, limit-len(rows), size)
		}
		if errors.Is(err, items.ErrTrimmed) {
			err = fault.New(fault.Invalid, "BadRequest", "The continuation of the full-fidelity change feed is older than the container's retention: what came after it is kept no longer.")
		}
		if err != nil {
			return nil, nil, err
		}
		at[i].lsn = page.Next
		for _, row := range page.Rows {
			rows = append(rows, row)
			size -= len(row)
		}
	}
	return rows, at, nil
}
