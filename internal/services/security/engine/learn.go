package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Learned patterns.
const (
	// LearnDays is on how many other days a job must have done the same before its alerts are lowered.
	LearnDays = 5
	// learnWithin is for how many days a pattern is remembered that isn't seen, and one that was part of an incident.
	learnWithin = 90
	// patternSlots is how many patterns are kept of a machine. One that falls into another's place takes it only when the other was not seen for long: who makes many loses what was learned
	// of them at worst, and alerts are as bad again as they were.
	patternSlots = 1024
	// learnedKey is the property of an alert that tells why its severity was lowered.
	learnedKey = "learnedPattern"
)

// pattern is what is known of one doing of one job of a machine (detect.Job). Days are the platform's, counted from 1970: a machine's own clock is its intruder's to set.
type pattern struct {
	Shape    string `json:"shape"`
	Days     []int  `json:"days"` // the first LearnDays on which it was seen
	Last     int    `json:"last"`
	Incident bool   `json:"incident,omitempty"` // an alert of it was part of one
}

var patternCodec = store.Codec[pattern]{Kind: 'P', Version: 1}

const patternPrefix = "P|"

// patternKey is the place of an alert's pattern; nil if it has none.
func patternKey(a *alerts.Alert) []byte {
	if a.Job == nil {
		return nil
	}
	b, err := hex.DecodeString(a.Job.Shape)
	if err != nil || len(b) < 2 {
		return nil
	}
	key := []byte(patternPrefix + alerts.Scope(a.Machine) + "|")
	return binary.BigEndian.AppendUint16(key, binary.BigEndian.Uint16(b)%patternSlots)
}

func dayOf(t time.Time) int { return int(t.UTC().Unix() / 86400) }

// readPatterns reads the patterns of alerts that are to be entered.
func (x *shelf) readPatterns(s store.Snapshot, entered []alerts.Alert) error {
	x.patterns = map[string][]byte{}
	for i := range entered {
		key := patternKey(&entered[i])
		if key == nil {
			continue
		}
		b, err := s.Get(key)
		if err != nil {
			return err
		}
		x.patterns[string(key)] = bytes.Clone(b)
	}
	return nil
}

// learn lowers an alert that a job of the machine gives always, and remembers that it gave it today. What is High is never lowered.
func (x *shelf) learn(p *page, a *alerts.Alert, now time.Time) error {
	key := patternKey(a)
	if key == nil || a.Severity.Rank() >= alerts.High.Rank() || a.Simulated {
		return nil
	}
	today := dayOf(now)
	known := pattern{}
	if row := x.patterns[string(key)]; row != nil {
		var err error
		if known, err = patternCodec.Decode(row); err != nil {
			return err
		}
	}
	if gone := today-known.Last > learnWithin; known.Shape != a.Job.Shape || gone {
		if known.Shape != "" && !gone {
			return nil // the place is another's
		}
		known = pattern{Shape: a.Job.Shape}
	}
	if !known.Incident && len(known.Days) >= LearnDays && !slices.Contains(known.Days, today) && a.Severity.Rank() > alerts.Informational.Rank() {
		lower(a, &known)
	}
	if known.Last == today && (slices.Contains(known.Days, today) || len(known.Days) >= LearnDays) {
		return nil
	}
	known.Last = today
	if len(known.Days) < LearnDays && !slices.Contains(known.Days, today) {
		known.Days = append(known.Days, today)
	}
	row, err := patternCodec.Encode(known)
	if err != nil {
		return err
	}
	x.patterns[string(key)] = row
	p.put(key, row)
	return nil
}

// lower makes an alert one that nobody has to look at, and says why.
func lower(a *alerts.Alert, known *pattern) {
	day := func(n int) string { return time.Unix(int64(n)*86400, 0).UTC().Format(time.DateOnly) }
	what := "the line of cron " + a.Job.Script
	if a.Job.SHA256 != "" {
		what = fmt.Sprintf("the job %s, whose file is the same (SHA-256 %s)", a.Job.Script, a.Job.SHA256)
	}
	why := fmt.Sprintf("Severity lowered from %s: %s, did this on %d other days from %s to %s, and it was never part of an incident.", a.Severity, what, len(known.Days), day(known.Days[0]), day(known.Days[len(known.Days)-1]))
	a.Lowered, a.Severity = a.Severity, alerts.Informational
	if a.Extended == nil {
		a.Extended = map[string]string{}
	}
	a.Extended[learnedKey] = why
	a.Reasons = append(a.Reasons, alerts.Reason{Type: learnedKey, Reason: why})
}

// unlearn makes an alert that became part of an incident as bad as it was, and what it is of is not learned.
func unlearn(p *page, a *alerts.Alert, now time.Time) error {
	if a.Incident == "" || a.IsIncident() {
		return nil
	}
	if a.Lowered != "" {
		a.Severity, a.Lowered = a.Lowered, ""
		delete(a.Extended, learnedKey)
		a.Reasons = slices.DeleteFunc(a.Reasons, func(r alerts.Reason) bool { return r.Type == learnedKey })
	}
	key := patternKey(a)
	if key == nil {
		return nil
	}
	row, err := patternCodec.Encode(pattern{Shape: a.Job.Shape, Last: dayOf(now), Incident: true})
	if err == nil {
		p.put(key, row)
	}
	return err
}

// forgetPatterns removes what was not seen for long, of all machines of a subscription, deleted ones too.
func (e *Engine) forgetPatterns(ctx context.Context, subscription string) error {
	from := []byte(patternPrefix)
	for from != nil {
		var rows []row
		err := e.change(ctx, subscription, func(s store.Snapshot) error {
			rows = nil
			r := store.Prefix([]byte(patternPrefix))
			r.Start = from
			return s.Scan(r, func(k, v []byte) bool {
				rows = append(rows, row{bytes.Clone(k), bytes.Clone(v)})
				return len(rows) < perStep
			})
		}, func(p *page) error {
			today := dayOf(e.deps.Clock.Now())
			for _, r := range rows {
				known, err := patternCodec.Decode(r.value)
				if err != nil {
					return err
				}
				if today-known.Last > learnWithin {
					p.put(r.key, nil)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if from = nil; len(rows) == perStep {
			from = append(rows[len(rows)-1].key, 0)
		}
	}
	return nil
}
