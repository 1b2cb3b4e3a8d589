package alerts

import (
	"fmt"
	"strings"
	"time"
)

// Severity is Azure's word for how bad an alert is.
type Severity string

// The severities.
const (
	Informational Severity = "Informational"
	Low           Severity = "Low"
	Medium        Severity = "Medium"
	High          Severity = "High"
)

// Rank orders severities: 0 for Informational (and for unknown words) to 3 for High.
func (s Severity) Rank() int {
	switch s {
	case Low:
		return 1
	case Medium:
		return 2
	case High:
		return 3
	}
	return 0
}

// Status is what people have made of an alert.
type Status string

// The statuses. Only Active and InProgress ask for attention.
const (
	Active     Status = "Active"
	InProgress Status = "InProgress"
	Resolved   Status = "Resolved"
	Dismissed  Status = "Dismissed"
)

// Open reports whether the alert still asks for attention.
func (s Status) Open() bool { return s == Active || s == InProgress }

// Alert is one behaviour on one machine with all its repetitions, or an incident.
type Alert struct {
	Name         string `json:"name"` // "<n>_<guid>", see NewName
	Subscription string `json:"subscription"`
	// Machine is the ARM id of the machine; of an incident that of the machine it began on. Host is what the machine calls itself, as far as known.
	Machine string `json:"machine"`
	Host    string `json:"host,omitempty"`
	// Key is what makes an observation a repetition of this alert: the same Key within Window.
	Key string `json:"key"`

	Type        string   `json:"type"` // Azure's alertType, or one that begins with BH_
	DisplayName string   `json:"displayName"`
	Severity    Severity `json:"severity"`
	Intent      string   `json:"intent"` // kill chain phase in Azure's words; of an incident several, with commas
	Techniques  []string `json:"techniques,omitempty"`
	Rule        string   `json:"rule,omitempty"` // the analytic or rule that saw it
	Why         string   `json:"why"`            // what was seen, in a sentence, with figures
	Remedy      []string `json:"remedy,omitempty"`

	Status    Status    `json:"status"`
	First     time.Time `json:"first"`     // when the behaviour was first seen on the machine, UTC
	Last      time.Time `json:"last"`      // and last
	Generated time.Time `json:"generated"` // when the alert was made here
	Processed time.Time `json:"processed"` // when it was last added to
	Count     int       `json:"count"`     // observations, at least 1

	Confidence float64  `json:"confidence"` // 0 to 1
	Reasons    []Reason `json:"reasons,omitempty"`

	Entities []Entity   `json:"entities,omitempty"`
	Edges    []Edge     `json:"edges,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
	Omitted  int        `json:"omitted,omitempty"` // rows of evidence that there was no room for

	Incident string   `json:"incident,omitempty"` // name of the incident it is in
	Members  []string `json:"members,omitempty"`  // of an incident: the names of its alerts, oldest first

	Suppressed string            `json:"suppressed,omitempty"` // the suppression rule that dismissed it
	Simulated  bool              `json:"simulated,omitempty"`  // made by the simulate operation: nothing happened
	Extended   map[string]string `json:"extended,omitempty"`
}

// IsIncident reports whether the alert is an incident.
func (a *Alert) IsIncident() bool { return len(a.Members) > 0 }

// Title is the name to show: Azure marks what was seen again.
func (a *Alert) Title() string {
	if a.Count > 1 && !a.IsIncident() {
		return a.DisplayName + " [seen multiple times]"
	}
	return a.DisplayName
}

// Compromised names the machine: as it calls itself, else as its resource is called.
func (a *Alert) Compromised() string {
	if a.Host != "" {
		return a.Host
	}
	return a.Machine[strings.LastIndexByte(a.Machine, '/')+1:]
}

// Entity gives the node of an id, nil if the alert has none.
func (a *Alert) Entity(id string) *Entity {
	for i := range a.Entities {
		if a.Entities[i].ID == id {
			return &a.Entities[i]
		}
	}
	return nil
}

// Reason is why an alert is believed.
type Reason struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
}

// Evidence is one record that shows the behaviour: a started program with its arguments.
type Evidence struct {
	Time time.Time `json:"time"`
	PID  uint32    `json:"pid"`
	Line string    `json:"line"`
}

// Kind is what an entity is.
type Kind string

// The kinds of entities. Those that Azure has are called as there.
const (
	Host    Kind = "host"
	Account Kind = "account"
	Session Kind = "host-logon-session"
	Process Kind = "process"
	File    Kind = "file"
	IP      Kind = "ip"
	DNS     Kind = "dns"
	URL     Kind = "url"
	Network Kind = "network" // addresses that have their beginning in common: "10.31"; not Azure's
)

// Entity is a node of the graph. Which of the fields after Name are set depends on Kind.
type Entity struct {
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
	Name string `json:"name"` // to show: path, address, account, host name

	Resource string    `json:"resource,omitempty"` // Host: the ARM id
	PID      uint32    `json:"pid,omitempty"`      // Process
	Line     string    `json:"line,omitempty"`     // Process: the command line
	Image    string    `json:"image,omitempty"`    // Process: the running file, a script's interpreter
	Dir      string    `json:"dir,omitempty"`      // Process: where it was started
	UID      uint32    `json:"uid,omitempty"`      // Process
	Time     time.Time `json:"time,omitzero"`      // Process, Session: when it began
}

// EdgeKind is how to read an edge from its From to its To.
type EdgeKind string

// The kinds of edges.
const (
	EdgeStarted    EdgeKind = "started"     // process -> process it started
	EdgeRan        EdgeKind = "ran"         // process -> the file it is
	EdgeIn         EdgeKind = "in"          // process -> session
	EdgeAs         EdgeKind = "as"          // session -> account
	EdgeFrom       EdgeKind = "from"        // session or account -> ip it came from
	EdgeOn         EdgeKind = "on"          // account or session -> host
	EdgeTouched    EdgeKind = "touched"     // process -> file it fetched, changed, read or removed
	EdgeDownloaded EdgeKind = "downloaded"  // process -> url
	EdgeServed     EdgeKind = "served"      // url -> dns or ip
	EdgeReached    EdgeKind = "reached"     // process -> ip or dns it connected to or named
	EdgeAttacked   EdgeKind = "attacked"    // process -> network
	EdgeAttackedBy EdgeKind = "attacked-by" // host -> ip that tried to get in
	EdgeHas        EdgeKind = "has"         // host -> ip of its own
)

// Edge is an arrow of the graph.
type Edge struct {
	From string   `json:"from"`
	To   string   `json:"to"`
	Kind EdgeKind `json:"kind"`
}

// ticks are .NET's: 100 nanoseconds since the year 1.
const (
	maxTicks   = 3155378975999999999
	unixTicks  = 621355968000000000
	nameDigits = 19
)

// NewName is the name of an alert first observed at a time (UTC; clamped to the years .NET knows), with a GUID that the caller chose.
func NewName(first time.Time, guid string) string {
	first = At(first.UnixMilli()).Add(time.Duration(first.Nanosecond() % 1e6))
	return fmt.Sprintf("%0*d_%s", nameDigits, max(0, maxTicks-(unixTicks+first.Unix()*1e7+int64(first.Nanosecond())/100)), guid)
}

// Region is the location that all of a subscription's security data is said to be in.
const Region = "westeurope"
