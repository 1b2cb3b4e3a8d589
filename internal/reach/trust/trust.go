package trust

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Machine is where the stores are. Its zero value with Run set is this machine.
type Machine struct {
	Root string // folder that stands for /; "" is the machine's own
	Home string // the user's home folder; "" leaves the user's stores out
	// Run runs a program to its end.
	Run func(name string, args ...string) error
	// Find tells whether a program is installed, and where.
	Find func(name string) (string, error)
}

// Step is one change.
type Step struct {
	What string // word for word
	Do   func() error
}

// Plan is what Do will do.
type Plan struct {
	Steps []Step
	Notes []string // what will not be reached, and what to do about it
}

// certificate is the root to be trusted.
type certificate struct {
	pem         []byte
	fingerprint string // the first digits of its SHA-256
}

func (c certificate) file() string { return "bulkhead-" + c.fingerprint + ".crt" }
func (c certificate) nick() string { return "Bulkhead local root " + c.fingerprint }

// load reads the root of a data folder. A file with anything but one authority's certificate in it is refused.
func load(file string) (certificate, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return certificate{}, fmt.Errorf("%s does not exist: the platform makes it at its first start (bulkhead up)", file)
	}
	if err != nil {
		return certificate{}, err
	}
	block, rest := pem.Decode(b)
	if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
		return certificate{}, fmt.Errorf("%s does not hold one certificate", file)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return certificate{}, fmt.Errorf("%s: %w", file, err)
	}
	if !c.IsCA {
		return certificate{}, fmt.Errorf("%s is not an authority's certificate", file)
	}
	sum := sha256.Sum256(c.Raw)
	return certificate{pem.EncodeToMemory(block), hex.EncodeToString(sum[:4])}, nil
}

// Add plans to trust the root in the file.
func (m Machine) Add(file string) (Plan, error) { return m.plan(file, false) }

// Remove plans to trust it no more.
func (m Machine) Remove(file string) (Plan, error) { return m.plan(file, true) }

func (m Machine) plan(file string, remove bool) (Plan, error) {
	var p Plan
	if runtime.GOOS != "linux" {
		return p, fmt.Errorf("bulkhead trust knows the stores of Linux only; on %s: %s", runtime.GOOS, elsewhere(file))
	}
	c, err := load(file)
	if err != nil {
		return p, err
	}
	if err := m.system(&p, c, remove); err != nil {
		return p, err
	}
	return p, m.databases(&p, c, file, remove)
}

// elsewhere is what does the same on other systems.
func elsewhere(file string) string {
	if runtime.GOOS == "windows" {
		return `certutil -addstore -user Root "` + file + `"`
	}
	return `security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db "` + file + `"`
}

// String is the plan as it is shown before it is done.
func (p Plan) String() string {
	var b strings.Builder
	for _, s := range p.Steps {
		b.WriteString("  " + s.What + "\n")
	}
	for _, n := range p.Notes {
		b.WriteString("  (" + n + ")\n")
	}
	return b.String()
}

// Do takes the steps in order and stops at the first that fails.
func (p Plan) Do() error {
	for _, s := range p.Steps {
		if err := s.Do(); err != nil {
			return fmt.Errorf("%s: %w", s.What, err)
		}
	}
	return nil
}

// store is a system's store of roots: files in a folder, made effective by a tool.
type store struct {
	folder string // where added roots go
	tool   string
	args   func(m Machine, remove bool) []string
}

var stores = []store{
	{"/usr/local/share/ca-certificates", "update-ca-certificates", debianArgs},                                                    // Debian, Ubuntu, Alpine
	{"/etc/pki/ca-trust/source/anchors", "update-ca-trust", func(Machine, bool) []string { return []string{"extract"} }},          // Fedora, RHEL
	{"/etc/ca-certificates/trust-source/anchors", "update-ca-trust", func(Machine, bool) []string { return []string{"extract"} }}, // Arch
	{"/etc/pki/trust/anchors", "update-ca-certificates", func(Machine, bool) []string { return nil }},                             // SUSE
}

// debianArgs names every folder when they are not the machine's own, and asks for a whole rebuild where something goes away.
func debianArgs(m Machine, remove bool) []string {
	var args []string
	if remove {
		args = append(args, "--fresh")
	}
	if m.Root != "" {
		args = append(args, "--certsconf", m.path("/etc/ca-certificates.conf"), "--certsdir", m.path("/usr/share/ca-certificates"),
			"--localcertsdir", m.path("/usr/local/share/ca-certificates"), "--etccertsdir", m.path("/etc/ssl/certs"),
			"--hooksdir", m.path("/etc/ca-certificates/update.d"))
	}
	return args
}

func (m Machine) path(p string) string { return filepath.Join(m.Root, p) }

// system plans the change of the system's store.
func (m Machine) system(p *Plan, c certificate, remove bool) error {
	for _, s := range stores {
		if info, err := os.Stat(m.path(s.folder)); err != nil || !info.IsDir() {
			continue
		}
		tool, err := m.Find(s.tool)
		if err != nil {
			p.Notes = append(p.Notes, fmt.Sprintf("the system's store: %s is not installed", s.tool))
			return nil
		}
		file := filepath.Join(m.path(s.folder), c.file())
		have, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		others, _ := filepath.Glob(filepath.Join(m.path(s.folder), "bulkhead-*.crt"))
		for _, o := range others {
			if o != file {
				p.Notes = append(p.Notes, o+" is of another platform, or of this one before its authority was made anew: delete it if that is gone")
			}
		}
		args := s.args(m, remove)
		update := Step{"run " + strings.Join(append([]string{tool}, args...), " "), func() error { return m.Run(tool, args...) }}
		switch {
		case remove && have == nil:
			p.Notes = append(p.Notes, "the system's store does not have it")
		case remove:
			p.Steps = append(p.Steps, Step{"delete " + file, func() error { return os.Remove(file) }}, update)
		case bytes.Equal(have, c.pem):
			p.Notes = append(p.Notes, "the system's store has it: "+file)
		default:
			p.Steps = append(p.Steps, Step{"write " + file, func() error { return os.WriteFile(file, c.pem, 0o644) }}, update)
		}
		return nil
	}
	p.Notes = append(p.Notes, "the system's store: none of the known kinds (Debian, Fedora, Arch, SUSE) is here")
	return nil
}

// profiles are where browsers keep NSS databases, below the home folder.
var profiles = []string{
	".pki/nssdb", // Chromium, Chrome, Edge
	"snap/chromium/current/.pki/nssdb",
	".mozilla/firefox/*",
	"snap/firefox/common/.mozilla/firefox/*",
	".var/app/org.mozilla.firefox/.mozilla/firefox/*",
}

// databases plans the change of the user's NSS databases.
func (m Machine) databases(p *Plan, c certificate, file string, remove bool) error {
	if m.Home == "" {
		return nil
	}
	var found []string
	for _, pattern := range profiles {
		dbs, err := filepath.Glob(filepath.Join(m.Home, filepath.FromSlash(pattern), "cert9.db"))
		if err != nil {
			return err
		}
		for _, db := range dbs {
			found = append(found, filepath.Dir(db))
		}
	}
	if len(found) == 0 {
		return nil
	}
	tool, err := m.Find("certutil")
	if err != nil {
		p.Notes = append(p.Notes, fmt.Sprintf("the browsers' databases in %s: certutil is not installed (package libnss3-tools or nss-tools)", strings.Join(found, ", ")))
		return nil
	}
	for _, dir := range found {
		db := "sql:" + dir
		has := m.Run(tool, "-L", "-d", db, "-n", c.nick()) == nil
		args := []string{"-A", "-d", db, "-t", "C,,", "-n", c.nick(), "-i", file}
		if remove {
			args = []string{"-D", "-d", db, "-n", c.nick()}
		}
		switch {
		case remove && !has:
			p.Notes = append(p.Notes, dir+" does not have it")
		case !remove && has:
			p.Notes = append(p.Notes, dir+" has it")
		default:
			p.Steps = append(p.Steps, Step{"run " + tool + " " + quoted(args), func() error { return m.Run(tool, args...) }})
		}
	}
	return nil
}

// quoted writes arguments so that a reader sees where each ends.
func quoted(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		if out[i] = a; strings.ContainsAny(a, " '\"$") {
			out[i] = fmt.Sprintf("%q", a)
		}
	}
	return strings.Join(out, " ")
}
