// Package report brings what a honeypot by itself learns to a platform, as the machine it runs on: by the machine's enrolment (agent/enrol), through a queue on disk
// (agent/queue) that loses nothing while the platform is away.
//
// A Report is what was learned within a moment, numbered within a stream: the life of one queue. The platform takes each number of a stream once, and says how far it is:
//
//	POST /bulkhead/honeypot/report?stream=6f1c...&sequence=7
//
//	{"version":1,"observations":[{"kind":"url","value":"http://203.0.113.9/x.sh","session":"...","source":"198.51.100.7","time":"..."}]}
//
//	{"acknowledged":7}
//
// The files of the queue hold what intruders tried, passwords among it, as the honeypot's own records beside them do (0600).
package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/honeypot"
)

// Bounds of one report.
const (
	MaxBytes    = 1 << 20
	maxReported = 2000 // observations, and visits
	maxText     = 4096 // bytes of a value or line
	maxLines    = 1000 // of a visit
)

// Report is what was learned within a moment.
type Report struct {
	Version      int           `json:"version"`
	Observations []Observation `json:"observations,omitempty"`
	Visits       []Visit       `json:"visits,omitempty"`
	Dropped      uint64        `json:"dropped,omitempty"` // observations and visits for which there was no room
}

// Observation is honeypot.Observation on its way.
type Observation struct {
	Kind    honeypot.Kind `json:"kind"`
	Value   string        `json:"value"`
	Note    string        `json:"note,omitempty"`
	Session string        `json:"session"`
	Source  string        `json:"source"`
	Time    time.Time     `json:"time"`
}

// Visit is honeypot.Attack on its way.
type Visit struct {
	Session  string     `json:"session"`
	Protocol string     `json:"protocol"`
	Source   netip.Addr `json:"source"`
	First    time.Time  `json:"first"`
	Last     time.Time  `json:"last"`
	Tries    int        `json:"tries"`
	User     string     `json:"user,omitempty"`
	Lines    []string   `json:"lines,omitempty"`
	URLs     []string   `json:"urls,omitempty"`
	Ended    bool       `json:"ended,omitempty"`
}

const version = 1

// Encode is a report's bytes.
func Encode(r *Report) ([]byte, error) {
	r.Version = version
	return json.Marshal(r)
}

// Decode reads a report. It doesn't trust it: what is larger than a honeypot makes it is refused, names of kinds and values are for the reader to judge.
func Decode(b []byte) (*Report, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("a report has at most %d bytes", MaxBytes)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	var r Report
	if err := d.Decode(&r); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("something follows the report")
	}
	if r.Version != version {
		return nil, fmt.Errorf("the report is of version %d, this program knows %d", r.Version, version)
	}
	if len(r.Observations) > maxReported || len(r.Visits) > maxReported {
		return nil, fmt.Errorf("a report has at most %d observations and visits", maxReported)
	}
	for i := range r.Observations {
		if o := &r.Observations[i]; len(o.Value) > maxText || len(o.Note) > maxText || len(o.Session) > 100 || len(o.Source) > 100 {
			return nil, fmt.Errorf("observation %d is too long", i)
		}
	}
	for i := range r.Visits {
		if err := r.Visits[i].check(); err != nil {
			return nil, fmt.Errorf("visit %d: %w", i, err)
		}
	}
	return &r, nil
}

func (v *Visit) check() error {
	if v.Session == "" || len(v.Session) > 100 || len(v.Protocol) > 20 || len(v.User) > 100 || !v.Source.IsValid() {
		return errors.New("its session, protocol, source or user is missing or too long")
	}
	if v.Tries < 0 || len(v.Lines) > maxLines || len(v.URLs) > maxLines {
		return errors.New("it has too many lines")
	}
	for _, list := range [][]string{v.Lines, v.URLs} {
		for _, l := range list {
			if len(l) > maxText {
				return errors.New("a line is too long")
			}
		}
	}
	return nil
}

// Attack is the visit as the honeypot tells it.
func (v *Visit) Attack() honeypot.Attack {
	return honeypot.Attack{Session: v.Session, Protocol: v.Protocol, Source: v.Source.Unmap().WithZone(""), First: v.First, Last: v.Last, Tries: v.Tries, User: v.User, Lines: v.Lines, URLs: v.URLs, Ended: v.Ended}
}
