package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/backup"
	"github.com/bulkheadhq/bulkhead/internal/seal"
)

// command runs one command line, as main does.
func command(t *testing.T, want int, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), args, &out, &errs); code != want {
		t.Fatalf("bulkhead %s: code %d, want %d\n%s%s", strings.Join(args, " "), code, want, out.String(), errs.String())
	}
	return out.String() + errs.String()
}

// TestOperate_WithoutAPlatform: backup, verify, export and restore open the store themselves where nothing runs.
func TestOperate_WithoutAPlatform(t *testing.T) {
	dir := t.TempDir()
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "b.backup")
	if out := command(t, exitFailed, "backup", file, "--data", data); !strings.Contains(out, "is no data folder") || exists(data) {
		t.Errorf("backup of nothing: %s", out)
	}
	command(t, exitDone, "tenant", "create", "--name", "Second", "--domain", "second.example", "--data", data)
	var made written
	if err := json.Unmarshal([]byte(command(t, exitDone, "backup", file, "--data", data)), &made); err != nil || made.File != file || made.HasKey {
		t.Errorf("backup: %+v, %v", made, err)
	}
	if out := command(t, exitFailed, "backup", file, "--data", data); !strings.Contains(out, "is there already") {
		t.Errorf("backup over another: %s", out)
	}
	if out := command(t, exitDone, "verify", file, "--data", data); !strings.Contains(out, `"platform t1": 2`) {
		t.Errorf("verify of the file: %s", out)
	}
	command(t, exitDone, "verify", "--data", data)
	if out := command(t, exitFailed, "verify", file, "--data", filepath.Join(dir, "none")); !strings.Contains(out, "needs its master key") {
		t.Errorf("verify without a key: %s", out)
	}
	if out := command(t, exitDone, "export", "--data", data); !strings.Contains(out, `"key":"i|installation"`) {
		t.Errorf("export: %s", out)
	}
	restored := filepath.Join(dir, "restored")
	command(t, exitDone, "restore", file, "--key", filepath.Join(data, "master.key"), "--data", restored)
	if out := command(t, exitDone, "tenant", "list", "--data", restored); !strings.Contains(out, "second.example") {
		t.Errorf("tenants after the restore: %s", out)
	}
	if out := command(t, exitFailed, "restore", file, "--key", filepath.Join(data, "master.key"), "--data", restored); !strings.Contains(out, "is not empty") {
		t.Errorf("restore over data: %s", out)
	}
	// Damage is found, and is an error for scripts.
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := command(t, exitFailed, "verify", file, "--data", data); !strings.Contains(out, "damaged") {
		t.Errorf("verify of a damaged file: %s", out)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// TestBackupTo_WholeOrNothing: whatever ends a backup early, no file has its name, and none lies beside it.
func TestBackupTo_WholeOrNothing(t *testing.T) {
	sealer, err := seal.New(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	begin := func(w io.Writer) *backup.Writer {
		b, err := backup.NewWriter(w, backup.Header{}, sealer)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Shard("s", 1); err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, c := range map[string]struct {
		fill func(io.Writer) error
		want string
	}{
		"connection ends":      {func(w io.Writer) error { begin(w); return nil }, "ends before"},
		"connection breaks":    {func(w io.Writer) error { begin(w); return io.ErrUnexpectedEOF }, "unexpected EOF"},
		"the platform gave up": {func(w io.Writer) error { begin(w).Fail(errors.New("shard s broke")); return nil }, "shard s broke"},
		"nothing came":         {func(io.Writer) error { return nil }, "no backup file"},
	} {
		dir := t.TempDir()
		if _, err := backupTo(filepath.Join(dir, "x.backup"), c.fill); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			t.Errorf("%s: %v is left", name, entries)
		}
	}
	dir := t.TempDir()
	out, err := backupTo(dir, func(w io.Writer) error {
		_, err := begin(w).Close()
		return err
	})
	if err != nil || !strings.HasPrefix(filepath.Base(out.File), "bulkhead-") || out.KeyID != sealer.KeyID() || out.Bytes == 0 {
		t.Errorf("into a folder: %+v, %v", out, err)
	}
}

func TestConfig_CheckAndShow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bulkhead.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("listen: 127.0.0.1:1\nlisen: 127.0.0.1:0\n")
	if out := command(t, exitFailed, "config", "check", file); !strings.Contains(out, "line 2: unknown key lisen") {
		t.Error(out)
	}
	write("listen: 127.0.0.1:1\nproxy: 127.0.0.1:2\nsuffix: file.example\n")
	t.Setenv("BULKHEAD_PROXY", "127.0.0.1:3")
	t.Setenv("BULKHEAD_PASS_THROUGH", "true")
	if out := command(t, exitDone, "config", "check", file); out != "ok\n" {
		t.Error(out)
	}
	out := command(t, exitDone, "config", "show", file)
	for _, want := range []string{"listen: 127.0.0.1:1\n", "proxy: 127.0.0.1:3\n", "identity: 127.0.0.1:8445\n", "suffix: file.example\n", "passThrough: true\n", "logLevel: info\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	t.Setenv("BULKHEAD_LOG_LEVEL", "loud")
	if out := command(t, exitFailed, "config", "check", file); !strings.Contains(out, `logLevel "loud"`) {
		t.Error(out)
	}
}
