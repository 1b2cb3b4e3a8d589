package harness

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Options say how a platform is started. The zero value is what most tests want.
type Options struct {
	Suffix       string   // own host name suffix; default the binary's own
	PackageRoots []string // folders sites may run from
	Flags        []string // further flags of `bulkhead up`
	Data         string   // data folder, which may hold data already; default one of the test's own
	User         int      // user and group id the platform and its commands run as; 0: the test's own. Only root may set it

	Listen string     // address of the front door and the proxy; default loopback
	Inside *Namespace // the network namespace the platform runs in; nil: the test's own
}

// Run is what DIR/run.json says.
type Run struct {
	FrontDoor      string
	Proxy          string
	Identity       string
	Suffix         string
	Root           string
	Bundle         string
	TenantID       string
	SubscriptionID string
	Honeypot       string
	AdminAppID     string `json:"administratorAppId"`
}

// Platform is a running bulkhead.
type Platform struct {
	Run  Run
	Data string        // its data folder
	Log  string        // file with its log
	Took time.Duration // from start to the ready line

	bin     string
	options Options
	child   *child
	tokens  tokenCache
}

// child is one process of the platform.
type child struct {
	process *os.Process
	done    chan struct{} // closed when it ended
	err     error         // of Wait; after done
}

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 20 * time.Second
)

// Start runs a platform of the test's own and stops it at the test's end. When the test failed, the end of the platform's log is shown.
func Start(t testing.TB, o Options) *Platform {
	t.Helper()
	p, err := open(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Errorf("stop the platform: %v", err)
		}
		if t.Failed() {
			t.Logf("end of the platform's log:\n%s", p.Tail(0))
		}
	})
	return p
}

// open starts a platform on dir/data.
func open(dir string, o Options) (*Platform, error) {
	bin, err := Binary()
	if err != nil {
		return nil, err
	}
	p := &Platform{Data: filepath.Join(dir, "data"), Log: filepath.Join(dir, "platform.log"), bin: bin, options: o}
	if o.Data != "" {
		p.Data = o.Data
	}
	if o.User != 0 {
		if err := p.giveTo(dir, o.User); err != nil {
			return nil, err
		}
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	return p, p.up(o.Listen, o.Listen, "127.0.0.1:0")
}

// up starts the process and waits for its ready line.
func (p *Platform) up(listen, proxy, identity string) error {
	args := []string{"up", "--data", p.Data, "--listen", listen, "--proxy", proxy, "--identity", identity}
	if p.options.Suffix != "" {
		args = append(args, "--suffix", p.options.Suffix)
	}
	for _, r := range p.options.PackageRoots {
		args = append(args, "--package-root", r)
	}
	args = append(args, p.options.Flags...)
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	c := exec.Command(p.bin, args...)
	if n := p.options.Inside; n != nil {
		c = n.Command(p.bin, args...)
	}
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(p.Data)}
	c.Stderr = log
	// The platform dies with the test process, however that ends, and its own group keeps a terminal's interrupt from it.
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true, Credential: p.credential()}
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	began := time.Now()
	p.child = &child{done: make(chan struct{})}
	started, ready := make(chan error), make(chan bool, 1)
	go p.child.run(c, started)
	if err := <-started; err != nil {
		return err
	}
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "ready ") {
				ready <- true
			}
		}
	}()
	select {
	case <-ready:
	case <-p.child.done:
		return fmt.Errorf("bulkhead up ended before it was ready: %w\n%s", p.child.err, p.Tail(0))
	case <-time.After(startTimeout):
		return errors.Join(fmt.Errorf("bulkhead up was not ready after %s\n%s", startTimeout, p.Tail(0)), p.kill())
	}
	p.Took = time.Since(began)
	b, err := os.ReadFile(filepath.Join(p.Data, "run.json"))
	if err != nil {
		return err
	}
	return json.Unmarshal(b, &p.Run)
}

// run starts and awaits the process on one thread: the kernel sends the death signal when the thread that started it ends.
func (c *child) run(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	c.process = cmd.Process
	started <- err
	if err == nil {
		state, err := cmd.Process.Wait() // not cmd.Wait, which would close the pipe under its reader
		if c.err = err; err == nil && !state.Success() {
			c.err = errors.New(state.String())
		}
	}
	close(c.done)
}

// stop ends the platform by SIGTERM. It is an error if it does not go in order.
func (p *Platform) stop() error {
	select {
	case <-p.child.done:
		return p.ledger() // killed, or never up
	default:
	}
	if err := p.child.process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.child.done:
		return errors.Join(p.child.err, p.ledger())
	case <-time.After(stopTimeout):
		return errors.Join(fmt.Errorf("still running %s after SIGTERM", stopTimeout), p.kill())
	}
}

func (p *Platform) kill() error {
	err := p.child.process.Kill()
	<-p.child.done
	return err
}

// Stop ends the platform in order (SIGTERM).
func (p *Platform) Stop(t testing.TB) {
	t.Helper()
	if err := p.stop(); err != nil {
		t.Fatalf("stop the platform: %v", err)
	}
}

// Kill9 ends the platform as a crash would.
func (p *Platform) Kill9(t testing.TB) {
	t.Helper()
	if err := p.kill(); err != nil {
		t.Fatalf("kill the platform: %v", err)
	}
}

// Restart starts the stopped or killed platform again on the same folder and ports.
func (p *Platform) Restart(t testing.TB) {
	t.Helper()
	if err := p.up(p.Run.FrontDoor, p.Run.Proxy, p.Run.Identity); err != nil {
		t.Fatal(err)
	}
}

// roots are the certificates clients of the platform trust, and no others.
func (p *Platform) roots() (*x509.CertPool, error) {
	b, err := os.ReadFile(p.Run.Root)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s holds no certificate", p.Run.Root)
	}
	return pool, nil
}

// transport makes an HTTP transport that trusts the platform. Names under the own suffix are found on loopback, as a resolver would.
func (p *Platform) transport() (*http.Transport, error) {
	pool, err := p.roots()
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 64,
		DialContext: p.options.Inside.to("127.0.0.1"),
	}, nil
}

// Port is the front door's.
func (p *Platform) Port() string {
	_, port, _ := net.SplitHostPort(p.Run.FrontDoor)
	return port
}
