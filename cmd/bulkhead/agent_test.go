package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestAgent_Usage(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	for name, c := range map[string]struct {
		args []string
		code int
		text string
	}{
		"not enrolled":      {[]string{"agent", "--state", state, "--audit-log", "x"}, exitFailed, "bulkhead agent enrol"},
		"no room":           {[]string{"agent", "--queue-mb", "0"}, exitUsage, "--queue-mb 0"},
		"neither":           {[]string{"agent", "enrol"}, exitUsage, "--resource-group"},
		"both":              {[]string{"agent", "enrol", "--resource-group", "rg", "--vm", "/x"}, exitUsage, "--resource-group"},
		"half of a way":     {[]string{"agent", "enrol", "--resource-group", "rg", "--platform", "127.0.0.1:1"}, exitUsage, "--token-file"},
		"no platform":       {[]string{"agent", "enrol", "--resource-group", "rg", "--state", state, "--data", t.TempDir()}, exitFailed, "--platform"},
		"something besides": {[]string{"agent", "web-1"}, exitUsage, "web-1"},
	} {
		if _, errs, code := bulkhead(t, c.args...); code != c.code || !strings.Contains(errs, c.text) {
			t.Errorf("%s: %d %s, want %d with %q", name, code, errs, c.code, c.text)
		}
	}
}

// The unit starts this program as an agent, on the folder that systemd makes.
func TestAgentUnit(t *testing.T) {
	t.Parallel()
	out, errs, code := bulkhead(t, "agent", "unit")
	if code != 0 {
		t.Fatal(errs)
	}
	set := map[string]string{}
	for line := range strings.Lines(out) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			set[name] = value
		}
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(set["ExecStart"])
	if len(words) < 2 || words[0] != exe {
		t.Fatalf("ExecStart=%s", set["ExecStart"])
	}
	cmd, rest, err := newRoot().Find(words[1:])
	if err != nil || cmd.Name() != "agent" {
		t.Fatalf("ExecStart runs %v, %v", cmd, err)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Fatal(err)
	}
	if got := cmd.Flag("state").Value.String(); got != "/var/lib/"+set["StateDirectory"] {
		t.Errorf("the folder is %s, systemd makes %s", got, set["StateDirectory"])
	}
	words = strings.Fields(set["ExecStopPost"]) // what a kill leaves is put back, of the same folder
	if len(words) < 2 || words[0] != exe {
		t.Fatalf("ExecStopPost=%s", set["ExecStopPost"])
	}
	after, rest, err := newRoot().Find(words[1:])
	if err != nil || after.Name() != "restore" || after.ParseFlags(rest) != nil || after.Flag("state").Value.String() != cmd.Flag("state").Value.String() {
		t.Errorf("ExecStopPost=%s: %v, %v", set["ExecStopPost"], after, err)
	}
	for name, want := range map[string]string{"Type": "notify", "Nice": "10", "Restart": "on-failure", "NoNewPrivileges": "yes", "ProtectSystem": "strict"} {
		if set[name] != want {
			t.Errorf("%s=%s, want %s", name, set[name], want)
		}
	}
}

// Where nothing was left in the kernel, there is nothing to do.
func TestAgentRestore_Nothing(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has this audit system")
	}
	out, errs, code := bulkhead(t, "agent", "restore", "--state", t.TempDir())
	if code != 0 || !strings.Contains(out, "nothing to put back") {
		t.Errorf("%d %s %s", code, out, errs)
	}
}

func TestAgentSources(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	audit, auth := filepath.Join(dir, "audit.log"), filepath.Join(dir, "auth.log")
	for args, says := range map[string]string{"--uid 7 --audit-log " + audit: "--kernel", "--kernel --keep-rules --uid 7": "--keep-rules", "--kernel --uid -7": "no account's", "--kernel --uid 4294967295": "no account's"} {
		var f sourceFlags
		p := pflag.NewFlagSet("", pflag.ContinueOnError)
		f.add(p)
		if err := p.Parse(strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.sources(dir, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", args, err, says)
		}
	}
	for args, want := range map[string]string{
		"--inventory=false --audit-log " + audit:                                                 "file:" + audit,
		"--inventory=false --audit-log " + audit + " --auth-log " + auth:                         "file:" + audit + " file:" + auth,
		"--inventory=false --auth-log " + auth + " --syslog " + dir + "/syslog --syslog " + auth: "file:" + auth + " file:" + dir + "/syslog",
		"--inventory=false --kernel --auth-log " + auth:                                          "kernel file:" + auth,
		"--inventory=false --audisp " + dir + "/s --auth-log " + auth:                            "audisp:" + dir + "/s file:" + auth,
		"--inventory=false --audit-log " + audit + " --audit-log " + dir + "/other.log":          "file:" + audit + " file:" + dir + "/other.log",
	} {
		var f sourceFlags
		p := pflag.NewFlagSet("", pflag.ContinueOnError)
		f.add(p)
		if err := p.Parse(strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		all, err := f.sources(dir, slog.New(slog.NewTextHandler(io.Discard, nil)))
		if err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		var names []string
		for _, s := range all {
			names = append(names, s.Name())
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
}
