package correlate

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
)

// key stands for a thing that alerts can have in common.
type key [16]byte

func keyOf(kind, what string) (k key) {
	sum := sha256.Sum256([]byte(kind + "\x00" + what))
	copy(k[:], sum[:])
	return k
}

// feature is one thing of one alert.
type feature struct {
	key     key
	group   group
	weight  int    // permille, where it is rare, for alerts on one machine
	across  int    // for alerts on two
	free    int    // so many contexts, and it is still rare; 0: however many
	context uint64 // the one this alert is in; 0: none that counts
	role    role
}

// role tells the two ends of a thing apart that links only one with the other.
type role uint8

const (
	either role = iota
	attacker
	attacked
)

const (
	maxFeatures = 96 // of one alert
	maxChain    = 16 // processes looked at above one
)

// features collects those of one alert.
type features struct {
	a      *alerts.Alert
	scope  string
	ctx    string // the session, else the source: what makes this alert another occasion
	out    []feature
	byID   map[string]*alerts.Entity
	source map[string]bool // addresses it came from
	own    map[string]bool // addresses of the machine
}

// featuresOf are the things of an alert, by key.
func featuresOf(a *alerts.Alert) []feature {
	f := &features{a: a, scope: alerts.Scope(a.Machine), byID: make(map[string]*alerts.Entity, len(a.Entities)), source: map[string]bool{}, own: map[string]bool{}}
	for i := range a.Entities {
		f.byID[a.Entities[i].ID] = &a.Entities[i]
	}
	for _, e := range a.Edges {
		if ip := f.byID[e.To]; e.Kind == alerts.EdgeHas && ip != nil && ip.Kind == alerts.IP {
			if at, err := netip.ParseAddr(ip.Name); err == nil && !at.IsLoopback() && !at.IsUnspecified() && !at.IsLinkLocalUnicast() {
				f.own[at.Unmap().String()] = true
			}
		}
	}
	accounts := f.accounts()
	f.sources(accounts)
	f.ancestry()
	f.outbound()
	for _, account := range accounts {
		f.account(account)
	}
	f.indicators()
	f.files()
	slices.SortStableFunc(f.out, func(a, b feature) int {
		if c := bytes.Compare(a.key[:], b.key[:]); c != 0 {
			return c
		}
		return int(a.role) - int(b.role)
	})
	return slices.CompactFunc(f.out, func(a, b feature) bool { return a.key == b.key && a.role == b.role })
}

func (f *features) add(g group, weight, across, free int, what, context string) {
	if len(f.out) >= maxFeatures {
		return
	}
	x := feature{key: keyOf(g.kind(), what), group: g, weight: weight, across: across, free: free}
	if context != "" && free > 0 {
		sum := sha256.Sum256([]byte(context))
		x.context = max(1, binary.BigEndian.Uint64(sum[:]))
	}
	f.out = append(f.out, x)
}

// here is a thing of one machine.
func (f *features) here(what string) string { return f.scope + "|" + what }

// accounts are the names of those who acted, and sets the occasion.
func (f *features) accounts() (names []string) {
	for _, e := range f.a.Entities {
		if e.Kind == alerts.Account && e.Name != "" && !slices.Contains(names, e.Name) {
			names = append(names, e.Name)
		}
		if e.Kind == alerts.Session && (f.ctx == "" || e.Name < f.ctx) {
			f.ctx = e.Name
		}
	}
	slices.Sort(names)
	return names
}

// sources: where sessions and attempts came from.
func (f *features) sources(accounts []string) {
	for _, e := range f.a.Edges {
		if e.Kind != alerts.EdgeFrom && e.Kind != alerts.EdgeAttackedBy {
			continue
		}
		ip := f.byID[e.To]
		if ip == nil || ip.Kind != alerts.IP {
			continue
		}
		at, err := netip.ParseAddr(ip.Name)
		if at = at.Unmap(); err != nil || at.IsLoopback() || at.IsUnspecified() || f.source[at.String()] {
			continue
		}
		f.source[at.String()] = true
		who, across := strings.Join(accounts, ","), 1
		if who == "" { // somebody knocks, as at many other doors: that counts for this door
			across = 0
		} else {
			who = f.here(who)
		}
		f.add(source, sourceHere, across*sourceAcross, 4, at.String(), who)
		f.add(segment, segmentHere, across*segmentAcross, 4, network(at).String(), who)
		f.lateral(at.String(), lateralLink, attacked)
	}
	if f.ctx == "" {
		for at := range f.source {
			if f.ctx == "" || at < f.ctx {
				f.ctx = at
			}
		}
	}
}

// lateral adds one end of an attack from an address. Two machines that say it is theirs make it no one's: such as those of networks between containers.
func (f *features) lateral(addr string, weight int, r role) {
	who := ""
	if r == attacker {
		who = f.scope
	}
	n := len(f.out)
	if f.add(lateral, weight, weight, 1, addr, who); len(f.out) > n {
		f.out[n].role = r
	}
}

// network is the part of an address that somebody keeps who changes addresses.
func network(a netip.Addr) netip.Prefix {
	bits := 16
	if a.Is6() {
		bits = 48
	}
	p, _ := a.Prefix(bits)
	return p
}

func (f *features) account(name string) {
	weight := accountPlain
	var from []string
	for at := range f.source {
		if a, err := netip.ParseAddr(at); err == nil {
			from = append(from, network(a).String())
		}
	}
	slices.Sort(from)
	switch {
	case commonAccount(name):
		weight = accountCommon
	case detect.ServiceAccount(name):
		weight = accountService
	}
	f.add(account, weight, 0, 2, f.here(name), strings.Join(from, ","))
	if weight != accountCommon {
		f.add(account, 0, accountAcross, 3, name, f.scope)
	}
}

// commonAccount reports whether every machine has an account of that name, or every installation image of a cloud.
func commonAccount(name string) bool {
	switch name {
	case "root", "admin", "administrator", "ubuntu", "debian", "centos", "fedora", "rocky", "ec2-user", "azureuser", "opc", "pi", "user", "test", "guest", "vagrant", "deploy":
		return true
	}
	return false
}

// ancestry: the sessions of what was done, and the processes it descends from within them. A session ends the chain: what started sshd or cron started everything.
func (f *features) ancestry() {
	session, parent, child := map[string]string{}, map[string]string{}, map[string]bool{}
	for _, e := range f.a.Edges {
		switch e.Kind {
		case alerts.EdgeIn:
			if _, ok := session[e.From]; !ok {
				session[e.From] = e.To
			}
		case alerts.EdgeStarted:
			parent[e.To] = e.From
			child[e.From] = true
		}
	}
	found := false
	for _, e := range f.a.Entities {
		if e.Kind != alerts.Process || child[e.ID] {
			continue
		}
		in := session[e.ID]
		chain := []string{e.ID}
		for p := parent[e.ID]; p != "" && len(chain) < maxChain && session[p] == in; p = parent[p] {
			chain = append(chain, p)
		}
		login := f.session(in, chain)
		found = found || in != ""
		if !login {
			chain = chain[:max(0, len(chain)-1)] // the service itself, and all it ever does
		}
		for _, p := range chain {
			f.add(ancestry, always, 0, 0, p, "")
		}
	}
	for _, e := range f.a.Entities {
		if e.Kind == alerts.Session && !found {
			f.session(e.ID, nil)
		}
	}
}

// session adds a session and reports whether it is a sign-in. Numbers begin anew when a machine does, so the time it began belongs to it.
func (f *features) session(id string, chain []string) bool {
	e := f.byID[id]
	if e == nil || e.Kind != alerts.Session {
		return false
	}
	what := id + "@" + e.Time.UTC().Format("2006-01-02T15:04:05.000")
	if strings.HasPrefix(e.Name, "session ") {
		f.add(ancestry, always, 0, 0, what, "")
		return true
	}
	below := "" // what the service started: other clients, other jobs
	if len(chain) > 1 {
		below = chain[len(chain)-2]
	}
	f.add(ancestry, sessionOfService, 0, 4, what, below)
	return false
}

// outbound: this machine attacks others.
func (f *features) outbound() {
	attacks := outwardType(f.a.Type)
	for _, e := range f.a.Edges {
		if e.Kind != alerts.EdgeAttacked {
			continue
		}
		attacks = attacks || f.a.Weight().Rank() >= alerts.Medium.Rank()
		if n := f.byID[e.To]; n != nil {
			f.add(target, targetLink, targetLink, 3, n.Name, f.here(f.ctx))
		}
	}
	if attacks {
		f.add(outward, outwardLink, 0, 0, f.scope, "")
	}
	weight := lateralWeak
	if attacks {
		weight = lateralLink
	}
	if f.a.Weight().Rank() >= alerts.Medium.Rank() {
		for at := range f.own {
			f.lateral(at, weight, attacker)
		}
	}
}

// outwardType reports whether alerts of a type tell of attacks on others.
func outwardType(kind string) bool {
	return kind == "VM_KnownLinuxDDoSToolkit" || strings.HasPrefix(kind, "BH_Outgoing") || strings.HasPrefix(kind, "BH_Honeypot")
}

// indicators: what was reached. The same path to a thing known as malicious counts for more.
func (f *features) indicators() {
	bad := f.a.Type == "VM_SuspectDownload" || f.a.Type == "VM_DigitalCurrencyMining" || strings.HasPrefix(f.a.Type, "VM_ThreatIntel")
	reached := func(what string, across int) { f.add(indicator, indicatorHere, across, 4, what, f.here(f.ctx)) }
	for _, e := range f.a.Entities {
		switch e.Kind {
		case alerts.DNS:
			switch name := strings.ToLower(e.Name); {
			case bad:
				reached(name, indicatorBad)
			case !commonHost(name):
				reached(name, indicatorAcross)
			}
		case alerts.URL:
			reached(e.Name, urlAcross)
		case alerts.IP:
			at, err := netip.ParseAddr(e.Name)
			if err == nil && !f.source[at.Unmap().String()] && !f.own[at.Unmap().String()] && !at.IsLoopback() && !at.IsPrivate() && !at.IsUnspecified() {
				reached(at.Unmap().String(), indicatorAcross)
			}
		}
	}
}

// commonHost reports whether everybody fetches from a host, so that having fetched there says nothing.
func commonHost(name string) bool {
	for _, c := range [...]string{
		"github.com", "githubusercontent.com", "gitlab.com", "bitbucket.org", "pypi.org", "pythonhosted.org", "npmjs.org", "npmjs.com", "golang.org", "docker.com", "docker.io", "debian.org", "ubuntu.com",
		"centos.org", "fedoraproject.org", "redhat.com", "suse.com", "opensuse.org", "archlinux.org", "alpinelinux.org", "sourceforge.net", "google.com", "googleapis.com", "amazonaws.com", "azure.com", "windows.net", "microsoft.com",
		"cloudflare.com", "maven.org", "rubygems.org", "crates.io", "rust-lang.org", "python.org", "nodejs.org", "gnu.org", "kernel.org", "dropbox.com", "pastebin.com", "speedtest.net",
	} {
		if name == c || strings.HasSuffix(name, "."+c) {
			return true
		}
	}
	return false
}

// files: those that lie where users put them. Names of a kit's tools link also across machines, several together.
func (f *features) files() {
	dir := ""
	for _, e := range f.a.Entities {
		if e.Kind == alerts.Process && e.Dir != "" {
			dir = e.Dir
			break
		}
	}
	for _, e := range f.a.Entities {
		if e.Kind != alerts.File {
			continue
		}
		name := e.Name
		if !strings.HasPrefix(name, "/") && dir != "" {
			name = path.Join(dir, name)
		}
		if !usersOwn(name) {
			continue
		}
		f.add(file, always, 0, 4, f.here(name), f.ctx)
		b := path.Base(name)
		if w := toolWeight(b); w > 0 {
			f.add(kit, w, w, 4, b, f.here(f.ctx))
		}
	}
}

// usersOwn reports whether a file lies where a user, or an intruder, puts their own; those of the system are in everybody's way.
func usersOwn(name string) bool {
	for _, dir := range [...]string{"/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/opt/", "/snap/", "/nix/", "/etc/", "/proc/", "/sys/", "/dev/null", "/dev/zero", "/dev/tty", "/dev/pts/", "/dev/tcp/", "/dev/std", "/var/log/", "/boot/", "/run/systemd/"} {
		if strings.HasPrefix(name, dir) {
			return false
		}
	}
	if strings.Contains(name, "/.ssh/") || strings.ContainsAny(name, "*?") {
		return false
	}
	switch b := path.Base(name); b {
	case ".bashrc", ".profile", ".bash_profile", ".bash_history", ".zshrc", ".zsh_history", ".bash_logout", ".history", "tmp", "home", "root", ".", "/":
		return false
	}
	return name != ""
}

// toolWeight is what a tool's name in common says. Short names are had by chance, some by everybody.
func toolWeight(b string) int {
	switch b {
	case "run", "run.sh", "install.sh", "setup.sh", "setup", "start.sh", "stop.sh", "build.sh", "test.sh", "test", "main", "main.py", "index.html", "script.sh", "deploy.sh", "update.sh", "configure", "Makefile", "a.out", "init.sh", "entrypoint.sh",
		"backup.sh", "start", "stop", "build", "app", "server", "install", "README", "README.md", "bash", "sh":
		return 0
	}
	switch len(b) {
	case 0:
		return 0
	case 1:
		return toolName / 3
	case 2:
		return toolName / 2
	}
	return toolName
}
