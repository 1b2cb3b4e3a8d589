package gate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"
)

// fixture is a gate before a server that speaks just enough of the protocol: it logs in "good" and denies others.
type fixture struct {
	addr  string
	rules Rules
	down  atomic.Bool // the server can't be reached

	mu     sync.Mutex
	counts map[Reason]int
	logins []string
	gate   *Gate
}

func (f *fixture) count(r Reason) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[r]
}

func anybody(netip.Addr) bool { return true }

func open(t *testing.T, rules Rules) *fixture {
	t.Helper()
	f := &fixture{rules: rules, counts: map[Reason]int{}}
	socket := filepath.Join(t.TempDir(), "s")
	back, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr = front.Addr().String()
	f.gate = New(Config{
		Dial: func(context.Context) (net.Conn, error) {
			if f.down.Load() {
				return nil, errors.New("not there")
			}
			return net.Dial("unix", socket)
		},
		TLS:   &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}},
		Rules: func() Rules { return f.rules },
		Failed: func(r Reason, _ netip.Addr) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.counts[r]++
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := f.gate.Serve(ctx, front); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		for {
			c, err := back.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { f.server(c) })
		}
	})
	t.Cleanup(func() { cancel(); back.Close(); wg.Wait() })
	return f
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// server is the server's side of one connection.
func (f *fixture) server(c net.Conn) {
	defer c.Close()
	head := make([]byte, 16+12)
	if _, err := c.Read(head); err != nil {
		return
	}
	greeting := "\x0a5.5.5-10.11\x00\x05\x00\x00\x0012345678\x00\xfe\xf7\x08\x02\x00\xff\x81\x15" + string(make([]byte, 10)) + "123456789012\x00mysql_native_password\x00"
	if (packet{0, []byte(greeting)}).writeTo(c) != nil {
		return
	}
	p, err := readPacket(c)
	if err != nil || p.seq != 1 {
		return
	}
	user, err := login(p)
	if err != nil {
		return
	}
	f.mu.Lock()
	f.logins = append(f.logins, user)
	f.mu.Unlock()
	if user != "good" {
		_ = refusal(2, codeDenied, "28000", "Access denied").writeTo(c)
		return
	}
	ok := packet{2, []byte{0, 0, 0, 2, 0, 0, 0}}
	if ok.writeTo(c) != nil {
		return
	}
	for { // every command is answered with OK
		p, err := readPacket(c)
		if err != nil || p.body[0] == 1 {
			return
		}
		if (packet{p.seq + 1, ok.body}).writeTo(c) != nil {
			return
		}
	}
}

// connect logs in through the gate; tlsMode is one of the driver's, "" for none.
func (f *fixture) connect(user string, c *tls.Config) (interface{ Close() error }, error) {
	cfg := driver.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.TLS, cfg.Logger = user, "pw", "tcp", f.addr, c, &driver.NopLogger{}
	cfg.Timeout, cfg.ReadTimeout = 20*time.Second, 20*time.Second
	connector, err := driver.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return connector.Connect(context.Background())
}

func code(err error) uint16 {
	var m *driver.MySQLError
	if errors.As(err, &m) {
		return m.Number
	}
	return 0
}

func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within 30 s: %s", what)
}

func trusting() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

func TestGate_CountsEachRefusalOnceWithItsReason(t *testing.T) {
	t.Parallel()
	f := open(t, Rules{Admits: anybody, TLS: true, Limit: 100, Server: "db1", Closed: "own"})
	for range 3 {
		if _, err := f.connect("bad", trusting()); code(err) != codeDenied {
			t.Errorf("bad password: %v, want 1045", err)
		}
	}
	if _, err := f.connect("own", trusting()); code(err) != codeDenied {
		t.Errorf("the platform's own account: %v, want 1045", err)
	}
	for range 2 {
		if _, err := f.connect("good", nil); code(err) != codeTLSRequired {
			t.Errorf("without TLS: %v, want 9002", err)
		}
	}
	if _, err := f.connect("good", &tls.Config{ServerName: "127.0.0.1"}); err == nil {
		t.Error("a client that doesn't trust the certificate connected")
	}
	c, err := f.connect("good@db1", trusting())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	for range 2 { // probes are no failures
		p, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
	}
	within(t, "counted", func() bool { return f.count(TLS) == 3 && f.count(Password) == 4 && f.gate.Active() == 0 })
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.counts) != 2 {
		t.Errorf("counted %v, want password and tls only", f.counts)
	}
	for _, l := range f.logins {
		if l == "own" || l == "good@db1" {
			t.Errorf("the server saw the login %q", l)
		}
	}
}

func TestGate_FirewallAndLimit(t *testing.T) {
	t.Parallel()
	f := open(t, Rules{Limit: 100})
	if _, err := f.connect("good", nil); code(err) != codeFirewall {
		t.Errorf("no rule: %v, want 9000", err)
	}
	within(t, "host counted", func() bool { return f.count(Host) == 1 })

	f = open(t, Rules{Admits: anybody, Limit: 3})
	for range 3 {
		c, err := f.connect("good", trusting())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	for range 5 {
		if _, err := f.connect("good", trusting()); code(err) != codeTooMany {
			t.Errorf("above the limit: %v, want 1040", err)
		}
	}
	within(t, "limit counted", func() bool { return f.count(Limit) == 5 })
}

func TestGate_WithoutServer(t *testing.T) {
	t.Parallel()
	f := open(t, Rules{Admits: anybody, Limit: 3})
	f.down.Store(true)
	if _, err := f.connect("good", nil); code(err) != codeNotReady {
		t.Errorf("no server: %v, want 9001", err)
	}
	within(t, "counted, place given back", func() bool { return f.count(Other) == 1 && f.gate.Active() == 0 })
}
