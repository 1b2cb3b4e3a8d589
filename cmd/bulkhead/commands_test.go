package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/reach/trust"
	"github.com/spf13/cobra"
)

// bulkhead runs a command line in this process.
func bulkhead(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return out.String(), errs.String(), code
}

func TestMan_APageForEachCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	if _, errs, code := bulkhead(t, "man", dir); code != 0 {
		t.Fatal(code, errs)
	}
	for _, c := range newRoot().Commands() {
		page, err := os.ReadFile(filepath.Join(dir, "bulkhead-"+c.Name()+".1"))
		if c.Hidden {
			if err == nil {
				t.Errorf("the hidden %s has a page", c.Name())
			}
			continue
		}
		if err != nil || !strings.Contains(string(page), ".SH NAME") {
			t.Errorf("%s: %v", c.Name(), err)
		}
	}
	page, err := os.ReadFile(filepath.Join(dir, "bulkhead-exec.1"))
	if err != nil || !strings.Contains(string(page), "--isolate") {
		t.Errorf("the page of exec does not tell of --isolate: %v", err)
	}
}

func TestCompletion(t *testing.T) {
	for shell, want := range map[string]string{"bash": "complete -o default", "zsh": "#compdef bulkhead", "fish": "complete -c bulkhead", "powershell": "Register-ArgumentCompleter"} {
		if out, errs, code := bulkhead(t, "completion", shell); code != 0 || !strings.Contains(out, want) {
			t.Errorf("%s: %d %s, lacks %q", shell, code, errs, want)
		}
	}
	for line, want := range map[string]string{"log-level ": "debug\n", "exec --iso": "--isolate", "doc": "doctor"} {
		words := strings.Split(line, " ")
		if out, _, _ := bulkhead(t, append([]string{cobra.ShellCompRequestCmd}, words...)...); !strings.HasPrefix(out, want) {
			t.Errorf("%q is completed with %q, want %q first", line, out, want)
		}
	}
}

func TestOwnFlags(t *testing.T) {
	t.Setenv("BULKHEAD_DATA", "from-env")
	for _, tt := range []struct {
		args     []string
		data, as string
		rest     []string
	}{
		{[]string{"GET", "x"}, "from-env", "", []string{"GET", "x"}},
		{[]string{"--data", "d", "GET", "--as=a", "x", "-h", "n: v"}, "d", "a", []string{"GET", "x", "-h", "n: v"}},
		{[]string{"GET", "x?a=b", "--data=d=e"}, "d=e", "", []string{"GET", "x?a=b"}},
	} {
		data, as, rest, err := ownFlags(tt.args)
		if err != nil || data != tt.data || as != tt.as || !slices.Equal(rest, tt.rest) {
			t.Errorf("%q = %s, %s, %q, %v", tt.args, data, as, rest, err)
		}
	}
	if _, _, _, err := ownFlags([]string{"GET", "--data"}); err == nil {
		t.Error("--data without a value was taken")
	}
}

func TestExitCodes(t *testing.T) {
	empty := t.TempDir()
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"armclient", "--data", empty, "frob", "x"}, exitUsage, "frob"},
		{[]string{"armclient", "--data", empty, "GET", "x"}, exitFailed, "bulkhead up"},
		{[]string{"armclient", "--data", empty, "PUT", "x", "@no-such-file"}, exitFailed, "no-such-file"},
		{[]string{"log-level", "--data", empty}, exitFailed, "bulkhead up"},
		{[]string{"exec", "--isolate", "--data", empty, "--", "true"}, exitFailed, "bulkhead up"},
		{[]string{"exec", "--isolate", "--data", empty}, exitUsage, ""},
		{[]string{"man"}, exitUsage, ""},
		{[]string{"doctor", "extra"}, exitUsage, ""},
	} {
		_, errs, code := bulkhead(t, tt.args...)
		if code != tt.code || !strings.Contains(errs, tt.says) {
			t.Errorf("%q = %d %s; want %d and %q", tt.args, code, errs, tt.code, tt.says)
		}
	}
}

func TestTrust_AsksFirst(t *testing.T) {
	for answer, done := range map[string]bool{"y\n": true, "YES\n": true, "n\n": false, "\n": false, "": false, "yes please\n": false} {
		ran := false
		cmd := &cobra.Command{}
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetIn(strings.NewReader(answer))
		err := carryOut(cmd, trust.Plan{Steps: []trust.Step{{What: "write a file", Do: func() error { ran = true; return nil }}}}, false)
		if ran != done || (err == nil) != done || !strings.Contains(out.String(), "  write a file\n") {
			t.Errorf("answer %q: ran %v, %v, printed\n%s", answer, ran, err, out.String())
		}
	}
	ran := false
	cmd := &cobra.Command{}
	cmd.SetOut(&bytes.Buffer{})
	if err := carryOut(cmd, trust.Plan{Steps: []trust.Step{{Do: func() error { ran = true; return nil }}}}, true); err != nil || !ran {
		t.Errorf("--yes: ran %v, %v", ran, err)
	}
}

// The unit starts what there is, and tells systemd what the program does.
func TestUnit(t *testing.T) {
	b, err := os.ReadFile("../../packaging/bulkhead.service")
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			set[name] = value
		}
	}
	words := strings.Fields(set["ExecStart"])
	if len(words) < 2 || words[0] != "/usr/bin/bulkhead" {
		t.Fatalf("ExecStart=%s", set["ExecStart"])
	}
	cmd, rest, err := newRoot().Find(words[1:])
	if err != nil || cmd.Name() != "up" {
		t.Fatalf("ExecStart runs %v, %v", cmd, err)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("ExecStart: %v", err)
	}
	if got := cmd.Flag("data").Value.String(); got != "/var/lib/"+set["StateDirectory"] {
		t.Errorf("the data folder is %s, systemd makes %s", got, set["StateDirectory"])
	}
	for name, want := range map[string]string{
		"Type": "notify", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes", "UMask": "0077",
		"CapabilityBoundingSet": "", "StateDirectoryMode": "0700", "User": "bulkhead",
	} {
		if got, ok := set[name]; !ok || got != want {
			t.Errorf("%s=%s, want %s", name, got, want)
		}
	}
}
