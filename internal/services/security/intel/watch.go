package intel

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/honeypot"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
)

// HoneypotAttack is the alert on a machine of ours that was seen at the honeypot.
func HoneypotAttack() *detect.Alert {
	return &detect.Alert{
		Type: "BH_HoneypotAttacked", Name: "Machine attacked the honeypot", Severity: detect.High, Intent: "LateralMovement", Techniques: []string{"T1110", "T1021.004"},
		Remedy: []string{
			"Isolate the machine: nothing has business with a honeypot, so somebody else is using it.",
			"Look at what the session typed there, and at the machine's own alerts of the same hours.",
			"Change the passwords and keys that were on the machine, and set it up anew from a state known to be good.",
		},
	}
}

// Machines knows our own machines' addresses.
type Machines interface {
	// MachineAt gives the ARM id of the machine that has an address; "" if none of ours has.
	MachineAt(ctx context.Context, addr netip.Addr) (string, error)
}

// Reporter keeps findings about a machine as alerts. Findings of one Key are one alert.
type Reporter interface {
	Report(ctx context.Context, machineID, id string, found []*detect.Finding) error
}

// Watch tells when a machine of ours visits the honeypot.
type Watch struct {
	machines Machines
	alerts   Reporter
	log      *slog.Logger
	queue    chan honeypot.Attack
	clients  func(hassh string, but netip.Addr) int
}

// NewWatch makes one.
func NewWatch(m Machines, r Reporter, log *slog.Logger) *Watch {
	return &Watch{machines: m, alerts: r, log: log, queue: make(chan honeypot.Attack, 256)}
}

// Clients makes the watch compare the SSH clients of our own machines with those of others: known tells how many other visitors had one (Store.Visitors). It is called before Run. sshd's log on a
// machine doesn't tell the clients' fingerprints, so the honeypot is where they are known.
func (w *Watch) Clients(known func(hassh string, but netip.Addr) int) { w.clients = known }

// Attack takes a visit; it doesn't wait.
func (w *Watch) Attack(a honeypot.Attack) {
	select {
	case w.queue <- a:
	default:
		w.log.Warn("a visit to the honeypot was not looked at: too many at once", "session", a.Session)
	}
}

// Run looks at visits until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case a := <-w.queue:
			if err := w.look(ctx, a); err != nil && ctx.Err() == nil {
				w.log.Error("a visit to the honeypot was not looked at", "session", a.Session, "error", err)
			}
		}
	}
}

func (w *Watch) look(ctx context.Context, a honeypot.Attack) error {
	machine, err := w.machines.MachineAt(ctx, a.Source)
	if err != nil || machine == "" {
		return err
	}
	id := a.Session
	if a.Ended {
		id += "-end"
	}
	f := FindingOf(a)
	if w.clients != nil && a.HASSH != "" {
		if n := w.clients(a.HASSH, a.Source); n > 0 {
			f.Why += fmt.Sprintf("; its SSH client (HASSH %s) is that of %d other visitors", a.HASSH, n)
			f.Confidence = 0.98
		}
	}
	return w.alerts.Report(ctx, machine, id, []*detect.Finding{f})
}

// FindingOf is what a visit says of the machine that made it.
func FindingOf(a honeypot.Attack) *detect.Finding {
	f := &detect.Finding{
		Alert: HoneypotAttack(), Rule: "honeypot", Key: "honeypot", Millis: a.First.UnixMilli(), Confidence: 0.95, Addrs: []netip.Addr{a.Source}, URLs: a.URLs,
		Why: fmt.Sprintf("%s tried %d sign-ins at the honeypot by %s", a.Source, a.Tries, a.Protocol),
	}
	if a.User != "" {
		f.Why += fmt.Sprintf(", got in as %s, and typed %d commands", a.User, len(a.Lines))
	}
	f.Why += " (session " + a.Session + ")"
	for _, l := range a.Lines {
		f.Commands = append(f.Commands, detect.Evidence{Millis: a.Last.UnixMilli(), Line: strings.ToValidUTF8(l, "?")})
	}
	return f
}
