package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/pprof/profile"

	"github.com/bulkheadhq/bulkhead/bench/machine"
)

// platform is a running bulkhead.
type platform struct {
	cmd   *exec.Cmd
	bin   string
	dir   string
	ready time.Duration // from exec to the ready line
	door  string        // host:port of the front door
	root  string        // CA file
	env   map[string]string
}

func start(ctx context.Context, bin, dir string) (*platform, error) {
	p := &platform{bin: bin, dir: dir}
	p.cmd = exec.CommandContext(ctx, bin, "up", "--data", dir, "--listen", "127.0.0.1:0", "--proxy", "127.0.0.1:0", "--identity", "127.0.0.1:0", "--log-level", "error", "--cosmos-throttling", "off")
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for s := bufio.NewScanner(out); s.Scan(); {
		if strings.HasPrefix(s.Text(), "ready ") {
			p.ready = time.Since(begin)
			return p, p.read()
		}
	}
	return nil, fmt.Errorf("the platform ended before it was ready: %w", p.cmd.Wait())
}

func (p *platform) read() error {
	b, err := os.ReadFile(filepath.Join(p.dir, "run.json"))
	if err != nil {
		return err
	}
	var r struct{ FrontDoor, Root string }
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	p.door, p.root = r.FrontDoor, r.Root
	out, err := exec.Command(p.bin, "env", "--data", p.dir, "--format", "dotenv").Output()
	if err != nil {
		return fmt.Errorf("bulkhead env: %w", err)
	}
	p.env = map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		p.env[name] = strings.Trim(value, "'")
	}
	return nil
}

func (p *platform) stop() {
	if p.cmd.ProcessState != nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

// rss is the process's resident memory in MiB.
func (p *platform) rss() (float64, error) {
	m, err := machine.MemoryOf(p.cmd)
	return m.Resident, err
}

// profile watches the platform's processor for a span and keeps what the compiler needs of it: names and lines of functions, not where their files were.
func (p *platform) profile(ctx context.Context, file string, span time.Duration) error {
	raw := filepath.Join(p.dir, "cpu.pprof")
	out, err := exec.CommandContext(ctx, p.bin, "profile", "--data", p.dir, "--for", span.String(), raw).CombinedOutput()
	if err != nil {
		return fmt.Errorf("profile: %w: %s", err, out)
	}
	b, err := os.ReadFile(raw)
	if err != nil {
		return err
	}
	prof, err := profile.ParseData(b)
	if err != nil {
		return fmt.Errorf("read the profile: %w", err)
	}
	for _, f := range prof.Function {
		f.Filename = ""
	}
	for _, m := range prof.Mapping {
		m.File, m.BuildID = "", ""
	}
	w, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(prof.Compact().Write(w), w.Close())
}
