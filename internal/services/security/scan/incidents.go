package scan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/correlate"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
)

// Incident is results that tell of one intruder.
type Incident struct {
	ID          string          `json:"name"`
	IsIncident  bool            `json:"isIncident"` // true: tells it from a Result
	Machine     string          `json:"machine,omitempty"`
	Type        string          `json:"alertType"`
	Name        string          `json:"alertDisplayName"`
	Severity    string          `json:"severity"`
	Intent      string          `json:"intent"` // the phases it went through, in the order of the kill chain
	Techniques  []string        `json:"techniques"`
	First       time.Time       `json:"startTimeUtc"`
	Last        time.Time       `json:"endTimeUtc"`
	Confidence  float64         `json:"confidenceScore"`
	Reasons     []alerts.Reason `json:"confidenceReasons"` // why these results belong together
	Description string          `json:"description"`
	Alerts      []Member        `json:"alerts"` // oldest first
	Remedy      []string        `json:"remediationSteps"`

	severity detect.Severity
}

// Member is a result within an incident.
type Member struct {
	Time     time.Time `json:"time"`
	Machine  string    `json:"machine,omitempty"`
	Type     string    `json:"alertType"`
	Name     string    `json:"alertDisplayName"`
	Severity string    `json:"severity"`
}

// maxCorrelated is how many results are correlated: the first ones.
const maxCorrelated = 20_000

// keep adds a finding to the alert that correlation sees of a result.
func (s *Scanner) keep(r *Result, m *machine, f *detect.Finding) {
	number := strconv.Itoa(m.number) // a machine may get its name later, its number stays
	src := alerts.Source{Machine: number, Host: m.name}
	if r.alert != nil {
		r.alert.Add(src, f)
		return
	}
	if s.kept == maxCorrelated {
		return
	}
	a := alerts.Of(src, f)
	s.kept++
	sum := sha256.Sum256([]byte(number + "|" + a.Key + "|" + a.First.String()))
	a.Name = alerts.NewName(a.First, hex.EncodeToString(sum[:16]))
	r.alert = a
}

// incidents joins results, names the incident of each, and tells the incidents by time.
func incidents(results []*Result) (out []*Incident) {
	by := map[string]*Result{}
	var all []*alerts.Alert
	var last time.Time
	for _, r := range results {
		r.Incident = ""
		if r.alert != nil {
			by[r.alert.Name] = r
			r.alert.Host = cmp.Or(r.Machine, "the machine")
			all = append(all, r.alert)
			last = later(last, r.Last)
		}
	}
	for _, a := range correlate.New(correlate.DefaultParams()).Add(last, all...).Incidents {
		in := &Incident{
			ID: a.Name, IsIncident: true, Machine: by[a.Members[0]].Machine, Type: a.Type, Name: a.DisplayName, Severity: string(a.Severity), Intent: a.Intent, Techniques: a.Techniques, First: a.First,
			Last: a.Last, Confidence: a.Confidence, Reasons: a.Reasons, Description: a.Why, Remedy: a.Remedy, severity: detect.Severity(a.Severity.Rank()),
		}
		for _, name := range a.Members {
			r := by[name]
			r.Incident = a.Name
			in.Alerts = append(in.Alerts, Member{r.First, r.Machine, r.Type, r.Name, r.Severity})
		}
		out = append(out, in)
	}
	slices.SortFunc(out, func(a, b *Incident) int {
		if c := a.First.Compare(b.First); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}
