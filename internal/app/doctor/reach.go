package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/pki"
	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// renewEarly is how long before its end a certificate authority is worth a note.
const renewEarly = 60 * 24 * time.Hour

// ports sees that what listens answers, or that what shall listen can.
func (e *examination) ports() {
	const check = "ports"
	if e.running && e.run.PID != 0 {
		for _, l := range []struct{ name, addr string }{{"front door", e.run.FrontDoor}, {"proxy", e.run.Proxy}, {"identity endpoint", e.run.Identity}} {
			c, err := net.DialTimeout("tcp", l.addr, dialTimeout)
			if err != nil {
				e.add(check, Wrong, fmt.Sprintf("the %s does not answer on %s: %v", l.name, l.addr, err), "look into the platform's log, then restart it")
				continue
			}
			c.Close()
		}
		if e.run.CosmosEmulator != "" {
			e.fine(check, "the Cosmos DB emulator's account and its well-known key are served at %s", e.run.CosmosEmulator)
		}
		e.fine(check, "front door %s, proxy %s and identity endpoint %s answer", e.run.FrontDoor, e.run.Proxy, e.run.Identity)
		return
	}
	type wanted struct{ flag, addr string }
	all := []wanted{{"listen", e.Config.Listen}, {"proxy", e.Config.Proxy}, {"identity", e.Config.Identity}}
	if e.Config.CosmosEmulator != "" { // Check has left nothing but addresses
		for addr := range strings.SplitSeq(e.Config.CosmosEmulator, ",") {
			all = append(all, wanted{"cosmos-emulator", addr})
		}
	}
	for _, l := range all {
		s, err := net.Listen("tcp", l.addr)
		if err != nil {
			e.add(check, Wrong, fmt.Sprintf("--%s %s can't be used: %v", l.flag, l.addr, err),
				fmt.Sprintf("end the program that holds it (ss -ltnp shows which), or choose another with --%s", l.flag))
			continue
		}
		s.Close()
	}
	e.fine(check, "%s, %s and %s are free", e.Config.Listen, e.Config.Proxy, e.Config.Identity)
}

// authority judges the certificates as a client would.
func (e *examination) authority() {
	const check = "ca"
	dir := filepath.Join(e.Config.Data, "ca")
	if _, err := os.Stat(dir); err != nil {
		e.fine(check, "there is none yet: bulkhead up makes it")
		return
	}
	const anew = "stop the platform, move that folder away and start again: a new authority is made, which clients find in the same files"
	root, err := readCertificate(pki.RootPath(dir))
	if err != nil {
		e.add(check, Wrong, err.Error(), anew)
		return
	}
	inter, err := readCertificate(filepath.Join(dir, "intermediate.pem"))
	if err != nil {
		e.add(check, Wrong, err.Error(), anew)
		return
	}
	if err := inter.CheckSignatureFrom(root); err != nil {
		e.add(check, Wrong, "intermediate.pem is not of root.pem: "+err.Error(), anew)
		return
	}
	now := e.Now()
	for _, c := range []*x509.Certificate{root, inter} {
		switch {
		case now.Before(c.NotBefore):
			e.add(check, Wrong, fmt.Sprintf("%s is not valid before %s", c.Subject.CommonName, c.NotBefore.Format(time.DateOnly)), "set the clock: it is behind the day the authority was made")
		case now.After(c.NotAfter):
			e.add(check, Wrong, fmt.Sprintf("%s ended on %s", c.Subject.CommonName, c.NotAfter.Format(time.DateOnly)), "restart the platform: it makes a new authority. If the day is wrong, set the clock")
		case now.Add(renewEarly).After(c.NotAfter):
			e.add(check, Note, fmt.Sprintf("%s ends on %s", c.Subject.CommonName, c.NotAfter.Format(time.DateOnly)), "plan a restart: within its last 90 days a new authority is made, to be trusted anew where bulkhead trust was used")
		}
	}
	e.bundle(dir, root)
	e.handshake(root)
	e.fine(check, "valid until %s", inter.NotAfter.Format(time.DateOnly))
}

func (e *examination) bundle(dir string, root *x509.Certificate) {
	file := filepath.Join(dir, "bundle.pem")
	b, err := os.ReadFile(file)
	if err != nil {
		e.add("ca", Wrong, err.Error(), "restart the platform: it writes the file anew")
		return
	}
	if !strings.Contains(string(b), strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})))) {
		e.add("ca", Wrong, file+" does not hold the platform's root: clients under bulkhead exec will refuse it", "restart the platform: it writes the file anew")
	}
}

// handshake asks the running front door for a certificate.
func (e *examination) handshake(root *x509.Certificate) {
	if !e.running || e.run.FrontDoor == "" {
		return
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	d := &tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout}, Config: &tls.Config{RootCAs: pool, ServerName: "management.azure.com", Time: e.Now, MinVersion: tls.VersionTLS12}}
	c, err := d.Dial("tcp", e.run.FrontDoor)
	var refused *net.OpError
	switch {
	case err == nil:
		c.Close()
	case errors.As(err, &refused) && refused.Op == "dial": // told by ports
	default:
		e.add("ca", Wrong, "the front door's certificate is not good for management.azure.com: "+err.Error(), "restart the platform; if that does not help, see the clock")
	}
}

func readCertificate(file string) (*x509.Certificate, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

func (e *examination) namespaces() {
	const check = "namespaces"
	if err := e.Probe(); err != nil {
		e.add(check, Note, err.Error(), "nothing, unless exec --isolate is needed")
		return
	}
	e.fine(check, "bulkhead exec --isolate works for this user")
}

// environment looks for variables that lead clients of this shell past the platform. bulkhead exec sets its own over most of them.
func (e *examination) environment() {
	const check = "environment"
	vars := map[string]string{}
	for _, v := range e.Environ {
		name, value, _ := strings.Cut(v, "=")
		vars[name] = value
	}
	ours := false // this shell was given bulkhead env
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		u, err := url.Parse(vars[name])
		if vars[name] == "" || err != nil {
			continue
		}
		mine := u.User.Username() == reach.EnvironmentUser
		switch {
		case e.run.Proxy != "" && u.Host == e.run.Proxy:
			ours = true
		case mine:
			e.add(check, Wrong, name+" is of another start of a platform: it leads to "+u.Host, `eval "$(bulkhead env)" again, or unset it`)
		default:
			e.add(check, Note, name+" leads to "+u.Host, "use bulkhead exec, which sets its own; other commands of this shell go there")
		}
	}
	hosts := wire.Hosts{Suffix: e.Config.Suffix}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		for _, part := range strings.Split(vars[name], ",") {
			if part = strings.TrimSpace(part); !ours || !bypasses(hosts, part) {
				continue
			}
			e.add(check, Wrong, fmt.Sprintf("%s holds %s, so clients of this shell go to Azure itself, past the platform", name, part),
				"take it out of "+name)
		}
	}
	if vars["NODE_TLS_REJECT_UNAUTHORIZED"] == "0" {
		e.add(check, Note, "NODE_TLS_REJECT_UNAUTHORIZED=0: Node checks no certificate", "unset it; NODE_EXTRA_CA_CERTS is enough")
	}
	e.fine(check, "no variable of this shell leads clients past the platform")
}

// bypasses tells whether an entry of NO_PROXY excepts one of Azure's names.
func bypasses(hosts wire.Hosts, entry string) bool {
	entry = strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(entry), "*"), ".")
	if entry == "" {
		return false
	}
	hosts.Suffix = ""
	for _, s := range hosts.Suffixes() {
		if s == entry || strings.HasSuffix(s, "."+entry) || strings.HasSuffix(entry, "."+s) {
			return true
		}
	}
	return false
}
