package app

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/backup"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

// contents reads a store: shard -> LSN, and shard/key -> value.
type contents struct {
	shard string
	all   map[string]string
}

func (c *contents) Shard(name string, lsn store.LSN) error {
	c.shard = name
	c.all[name] = string(rune(lsn))
	return nil
}

func (c *contents) Record(k, v []byte) error {
	c.all[c.shard+"/"+string(k)] = string(v)
	return nil
}

func contentsOf(t *testing.T, p *Platform) map[string]string {
	t.Helper()
	c := &contents{all: map[string]string{}}
	if err := p.store.Export(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return c.all
}

func dataConfig(dir string) Config {
	cfg := Defaults()
	cfg.Data = dir
	return cfg
}

// sampleBackup makes an installation, a backup of it, and closes it.
func sampleBackup(t *testing.T, withKey bool) (dir string, s sample, file []byte, want map[string]string) {
	t.Helper()
	dir = t.TempDir()
	p := openPlatform(t, dir)
	defer p.Close()
	s = makeSample(t, p)
	for name, text := range map[string]string{
		"sites/11111111-0000-0000-0000-000000000000/data/kept.txt": "kept", "sites/11111111-0000-0000-0000-000000000000/logs/out.log": "not kept",
		"sites/11111111-0000-0000-0000-000000000000/packages/x/a": "not kept", "blobs/.upload-1": "not kept",
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	// A link out of the site's folder must not be followed: what it points at would come back as the site's own.
	if err := os.Symlink("../../../master.key", filepath.Join(dir, "sites/11111111-0000-0000-0000-000000000000/data/link")); err != nil {
		t.Fatal(err)
	}
	if err := p.audit.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	want = contentsOf(t, p)
	var out bytes.Buffer
	if _, err := p.Backup(t.Context(), &out, withKey); err != nil {
		t.Fatal(err)
	}
	return dir, s, out.Bytes(), want
}

func TestBackup_RestoredIsTheSame(t *testing.T) {
	dir, s, file, want := sampleBackup(t, false)
	key, err := os.ReadFile(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{string(key), s.Secret, "sample-setting-value", s.AccountKey, s.Vault, "samplesite"} {
		if bytes.Contains(file, []byte(secret)) {
			t.Errorf("the backup holds %q in clear", secret)
		}
	}
	to := filepath.Join(t.TempDir(), "new")
	sum, err := Restore(t.Context(), bytes.NewReader(file), dataConfig(to), filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadDir(filepath.Join(dir, "ca"))
	if err != nil {
		t.Fatal(err)
	}
	ca = slices.DeleteFunc(ca, func(e os.DirEntry) bool { return e.Name() == bundleFile })
	if sum.Shards < 10 || len(ca) < 3 || sum.Files != uint64(len(ca))+1 { // the certificate authority's, one of a site
		t.Errorf("restored %+v", sum)
	}
	for _, e := range ca {
		before, err1 := os.ReadFile(filepath.Join(dir, "ca", e.Name()))
		after, err2 := os.ReadFile(filepath.Join(to, "ca", e.Name()))
		if err1 != nil || err2 != nil || !bytes.Equal(before, after) {
			t.Errorf("ca/%s differs: %v, %v", e.Name(), err1, err2)
		}
	}
	// Looked at before a platform starts on it and moves on what waits in outboxes.
	cfg := dataConfig(to)
	k, err := cfg.openKeys(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	old := dataConfig(dir)
	ok, err := old.openKeys(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(k.ring.StoreKeys()[0], ok.ring.StoreKeys()[0]) {
		t.Error("the restored store is encrypted with the key of the old one")
	}
	raw, err := pebble.Open(filepath.Join(to, storeFolder), pebble.Options{FS: k.fs})
	if err != nil {
		t.Fatal(err)
	}
	got := contentsOf(t, &Platform{store: raw})
	raw.Close()
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s differs after the restore", readable([]byte(k)))
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d records and shards after the restore, want %d", len(got), len(want))
	}
	p := openPlatform(t, to)
	defer p.Close()
	checkSample(t, p, s)
	if b, err := os.ReadFile(filepath.Join(to, "sites/11111111-0000-0000-0000-000000000000/data/kept.txt")); string(b) != "kept" {
		t.Errorf("a site's file: %q, %v", b, err)
	}
	if exists(filepath.Join(to, "sites/11111111-0000-0000-0000-000000000000/logs")) || exists(filepath.Join(to, "sites/11111111-0000-0000-0000-000000000000/data/link")) {
		t.Error("logs or a link were restored")
	}
	report, err := p.Verify(t.Context())
	if err != nil || len(report.Problems) != 0 || report.Sealed < 5 || report.Kinds["tenant a1"] < 2 {
		t.Errorf("verify after the restore: %+v, %v", report, err)
	}
}

func TestBackup_WithKey(t *testing.T) {
	_, s, file, _ := sampleBackup(t, true)
	report, h, err := VerifyBackup(bytes.NewReader(file), "", "")
	if err != nil || len(report.Problems) != 0 || report.Sealed < 5 || len(h.MasterKey) == 0 {
		t.Errorf("verify: %+v, %v", report, err)
	}
	to := t.TempDir() // there already, and empty
	if _, err := Restore(t.Context(), bytes.NewReader(file), dataConfig(to), ""); err != nil {
		t.Fatal(err)
	}
	p := openPlatform(t, to)
	defer p.Close()
	checkSample(t, p, s)
}

// TestBackup_Passphrase: where the master is a passphrase it opens the backup, and is written nowhere.
func TestBackup_Passphrase(t *testing.T) {
	words := filepath.Join(t.TempDir(), "words")
	if err := os.WriteFile(words, []byte("correct horse battery staple, twice\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	source := "passphrase-file:" + words
	p, err := openWith(t, t.TempDir(), source)
	if err != nil {
		t.Fatal(err)
	}
	s := makeSample(t, p)
	var out bytes.Buffer
	if _, err := p.Backup(t.Context(), io.Discard, true); err == nil {
		t.Error("a passphrase was put into a backup")
	}
	if _, err := p.Backup(t.Context(), &out, false); err != nil {
		t.Fatal(err)
	}
	p.Close()
	if bytes.Contains(out.Bytes(), []byte("correct horse")) {
		t.Error("the backup holds the passphrase")
	}
	to := t.TempDir()
	if _, err := Restore(t.Context(), &out, dataConfig(to), source); err != nil {
		t.Fatal(err)
	}
	if p, err = openWith(t, to, source); err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	checkSample(t, p, s)
}

func TestRestore_Refuses(t *testing.T) {
	dir, _, file, _ := sampleBackup(t, false)
	key := filepath.Join(dir, "master.key")
	other := filepath.Join(t.TempDir(), "other.key")
	if err := os.WriteFile(other, bytes.Repeat([]byte{7}, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file      []byte
		data, key string
		want      string
	}{
		"no ring":    {bytes.Replace(file, []byte(`"keyring":"`), []byte(`"keyrinG":"A`), 1), "", key, "damaged"},
		"no key":     {file, "", "", "holds no master key"},
		"other key":  {file, "", other, "wrong master key"},
		"key absent": {file, "", key + ".none", "needs its master key"},
		"not empty":  {file, full, key, "is not empty"},
		"cut off":    {file[:len(file)/2], "", key, "ends before"},
		"newer form": {bytes.Replace(file, []byte(`"format":1`), []byte(`"format":2`), 1), "", key, "version 2"},
		"newer data": {bytes.Replace(file, []byte(`"dataFormat":1`), []byte(`"dataFormat":8`), 1), "", key, "format 8 (of release 0.1.0-dev), this program knows up to 1"},
		"no backup":  {[]byte("PK\x03\x04 something else altogether"), "", key, "no backup file"},
	} {
		to := c.data
		if to == "" {
			to = filepath.Join(t.TempDir(), "new")
		}
		_, err := Restore(t.Context(), bytes.NewReader(c.file), dataConfig(to), c.key)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
		if c.data == "" && exists(to) {
			t.Errorf("%s: something was left in the new folder", name)
		}
	}
	if entries, _ := os.ReadDir(full); len(entries) != 1 {
		t.Errorf("the folder that was not empty changed: %v", entries)
	}
}

func TestOpen_RefusesAnUnfinishedRestore(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, restoreMark), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := openStepsOf(t, dir, nil)
	if err == nil {
		p.Close()
		t.Fatal("a half restored folder was opened")
	}
	if !strings.Contains(err.Error(), "did not come to its end") {
		t.Error(err)
	}
}

// TestVerify_Finds: what is wrong is found, where it is.
func TestVerify_Finds(t *testing.T) {
	p := openPlatform(t, t.TempDir())
	defer p.Close()
	s := makeSample(t, p)
	if report, err := p.Verify(t.Context()); err != nil || len(report.Problems) != 0 {
		t.Fatalf("before: %+v, %v", report, err)
	}
	put := func(shard string, key, value []byte) {
		t.Helper()
		if _, err := p.store.Update(t.Context(), shard, func(tx store.Tx) error { return tx.Put(key, value) }); err != nil {
			t.Fatal(err)
		}
	}
	sealed, err := p.sealer.Seal("platform", []byte("c|x"), []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	put("platform", []byte("c|moved"), sealed)
	put("tenant/x", []byte("a|1"), []byte("a\x01{\"cut\":"))
	put("sub/"+s.SubscriptionID, []byte("s|web|guid|package"), []byte("d\x01"+`{"hash":"`+strings.Repeat("ab", 32)+`"}`))
	blob := filepath.Join(p.cfg.Data, "blobs", "cd", strings.Repeat("cd", 32))
	if err := errors.Join(os.MkdirAll(filepath.Dir(blob), 0o700), os.WriteFile(blob, []byte("other"), 0o600)); err != nil {
		t.Fatal(err)
	}
	report, err := p.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"record c|moved: ", "record a|1: kind a version 1 does not decode", "needs the package abab", "is damaged: its digest is not its name"} {
		if !strings.Contains(strings.Join(report.Problems, "\n"), want) {
			t.Errorf("not found: %s", want)
		}
	}
	if len(report.Problems) != 4 {
		t.Errorf("%d problems, want 4: %v", len(report.Problems), report.Problems)
	}
}

func TestExportKeys(t *testing.T) {
	p := openPlatform(t, t.TempDir())
	defer p.Close()
	s := makeSample(t, p)
	var out bytes.Buffer
	if err := p.ExportKeys(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, secret := range []string{s.Secret, s.AppSecret, s.AccountKey, "sample-setting-value"} {
		if strings.Contains(text, secret) {
			t.Errorf("the export holds the secret %q", secret)
		}
	}
	forms := map[string]int{}
	lines := bufio.NewScanner(&out)
	for lines.Scan() {
		var l keyLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil || l.Shard == "" {
			t.Fatalf("line %q: %v", lines.Text(), err)
		}
		forms[l.Form]++
		if l.Key == "i|installation" && (l.Shard != "platform" || l.Kind != "i" || l.Version != 1 || l.Bytes < 50) {
			t.Errorf("installation: %+v", l)
		}
	}
	if forms["sealed"] < 5 || forms["json"] < 10 || forms[""] < 5 {
		t.Errorf("forms %v", forms)
	}
}

func TestReadable(t *testing.T) {
	if got, want := readable([]byte("a|\x00\xffé\\")), `a|\x00\xffé\\`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

var _ backup.Sink = (*checker)(nil)
