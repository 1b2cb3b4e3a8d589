package alerts

import (
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // schedules name zones; machines without a database of them judge by this one
)

// schedule is when an alert processing rule applies (swagger: Schedule). Times are those of its zone.
type schedule struct {
	From        string       `json:"effectiveFrom,omitempty"`
	Until       string       `json:"effectiveUntil,omitempty"`
	Zone        string       `json:"timeZone,omitempty"` // as Windows calls it, or the name in the IANA database; "" = UTC
	Recurrences []recurrence `json:"recurrences,omitempty"`
}

type recurrence struct {
	Type  string   `json:"recurrenceType"` // Daily, Weekly, Monthly
	Start string   `json:"startTime,omitempty"`
	End   string   `json:"endTime,omitempty"`
	Week  []string `json:"daysOfWeek,omitempty"`
	Month []int    `json:"daysOfMonth,omitempty"`
}

const (
	localTime      = "2006-01-02T15:04:05"
	timeOfDay      = "15:04:05"
	maxRecurrences = 20
	fullDay        = 24 * 60 * 60
)

// calendar is a schedule that was understood.
type calendar struct {
	zone        *time.Location
	from, until time.Time // zero: no bound
	again       []span
}

// span is a part of some days, in seconds of the day. It begins at the days that begins says yes to; one whose end is not after its start ends on the next day.
type span struct {
	start, end int
	begins     func(day time.Time) bool
}

// read understands a schedule.
func (s *schedule) read() (*calendar, error) {
	out := &calendar{zone: time.UTC}
	if s.Zone != "" {
		name := windowsZones()[fold(s.Zone)]
		if name == "" && fold(s.Zone) != "local" {
			name = s.Zone
		}
		var err error
		if out.zone, err = time.LoadLocation(name); err != nil || name == "" {
			return nil, bad("The timeZone '%.60s' of the schedule is not known. Zones are named as Windows does, such as Pacific Standard Time.", s.Zone)
		}
	}
	for _, b := range []struct {
		name, text string
		to         *time.Time
	}{{"effectiveFrom", s.From, &out.from}, {"effectiveUntil", s.Until, &out.until}} {
		if b.text == "" {
			continue
		}
		var err error
		if *b.to, err = time.ParseInLocation(localTime, strings.TrimSuffix(b.text, "Z"), out.zone); err != nil {
			return nil, bad("%s of the schedule is '%.60s'; it must be a local time such as 2026-01-02T15:04:05.", b.name, b.text)
		}
	}
	if !out.from.IsZero() && !out.until.IsZero() && !out.from.Before(out.until) {
		return nil, bad("effectiveUntil of the schedule is not after its effectiveFrom.")
	}
	if len(s.Recurrences) > maxRecurrences {
		return nil, bad("A schedule has at most %d recurrences.", maxRecurrences)
	}
	for i := range s.Recurrences {
		one, err := s.Recurrences[i].read()
		if err != nil {
			return nil, err
		}
		out.again = append(out.again, one)
	}
	return out, nil
}

// read understands a recurrence, and puts its names into their documented form.
func (r *recurrence) read() (out span, err error) {
	out.end = fullDay
	for _, b := range []struct {
		name, text string
		to         *int
	}{{"startTime", r.Start, &out.start}, {"endTime", r.End, &out.end}} {
		if b.text == "" {
			continue
		}
		t, err := time.Parse(timeOfDay, b.text)
		if err != nil {
			return out, bad("%s of a recurrence is '%.60s'; it must be a time such as 17:30:00.", b.name, b.text)
		}
		*b.to = secondsOf(t)
	}
	switch fold(r.Type) {
	case "daily":
		if r.Type = "Daily"; r.Start == "" || r.End == "" {
			return out, bad("A daily recurrence has a startTime and an endTime.")
		}
		out.begins = func(time.Time) bool { return true }
	case "weekly":
		r.Type = "Weekly"
		var on [7]bool
		for i, d := range r.Week {
			n := slices.IndexFunc(weekdays(), func(s string) bool { return strings.EqualFold(s, d) })
			if n < 0 {
				return out, bad("The day '%.60s' in daysOfWeek is not known.", d)
			}
			r.Week[i], on[n] = weekdays()[n], true
		}
		if len(r.Week) == 0 {
			return out, bad("A weekly recurrence has daysOfWeek.")
		}
		out.begins = func(day time.Time) bool { return on[day.Weekday()] }
	case "monthly":
		r.Type = "Monthly"
		for _, d := range r.Month {
			if d < 1 || d > 31 {
				return out, bad("The day %d in daysOfMonth is not one from 1 to 31.", d)
			}
		}
		if len(r.Month) == 0 {
			return out, bad("A monthly recurrence has daysOfMonth.")
		}
		days := slices.Clone(r.Month)
		out.begins = func(day time.Time) bool { return slices.Contains(days, day.Day()) }
	default:
		return out, bad("The recurrenceType '%.60s' is none of Daily, Weekly and Monthly.", r.Type)
	}
	return out, nil
}

func weekdays() []string {
	return []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
}

func secondsOf(t time.Time) int { return t.Hour()*3600 + t.Minute()*60 + t.Second() }

// hold tells whether a moment is in the schedule.
func (s *calendar) hold(at time.Time) bool {
	if !s.from.IsZero() && at.Before(s.from) || !s.until.IsZero() && !at.Before(s.until) {
		return false
	}
	local := at.In(s.zone)
	second, yesterday := secondsOf(local), local.AddDate(0, 0, -1)
	for _, r := range s.again {
		over := r.end <= r.start // ends on the next day
		if r.begins(local) && second >= r.start && (over || second < r.end) || over && r.begins(yesterday) && second < r.end {
			return true
		}
	}
	return len(s.again) == 0
}
