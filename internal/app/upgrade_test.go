package app

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// golden writes the data folder of this release's format anew: go test ./internal/app -run TestGolden -golden
var golden = flag.Bool("golden", false, "write testdata/format-N anew instead of reading it")

const goldenName = "testdata/format-1"

// TestGolden_OpensAndReads: a data folder as this format's first release left it (with its master key, made for this test alone) opens, and everything in it
// is read through the public APIs.
func TestGolden_OpensAndReads(t *testing.T) {
	if *golden {
		writeGolden(t)
	}
	dir, s := openGolden(t)
	p := openPlatform(t, dir)
	defer p.Close()
	if p.first != nil {
		t.Error("it was taken for a new installation")
	}
	checkSample(t, p, s)
	if report, err := p.Verify(t.Context()); err != nil || len(report.Problems) != 0 || report.Sealed < 5 {
		t.Errorf("verify: %+v, %v", report, err)
	}
}

// TestGolden_BackupRestores: a backup of that time (with its key) restores, opens and reads.
func TestGolden_BackupRestores(t *testing.T) {
	_, s := openGolden(t)
	f, err := os.Open(goldenName + ".backup")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := t.TempDir()
	if _, err := Restore(t.Context(), f, dataConfig(dir), ""); err != nil {
		t.Fatal(err)
	}
	p := openPlatform(t, dir)
	defer p.Close()
	checkSample(t, p, s)
}

func writeGolden(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	p := openPlatform(t, dir)
	s := makeSample(t, p)
	var saved bytes.Buffer
	if _, err := p.Backup(t.Context(), &saved, true); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	zip, err := zstd.NewWriter(&out, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(zip)
	root := os.DirFS(dir)
	err = fs.WalkDir(root, ".", func(at string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || e.Name() == "bundle.pem" || e.Name() == "LOCK" {
			return err
		}
		b, err := fs.ReadFile(root, at)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		err = w.WriteHeader(&tar.Header{Name: at, Mode: int64(info.Mode().Perm()), Size: int64(len(b)), Typeflag: tar.TypeReg})
		_, werr := w.Write(b)
		return errors.Join(err, werr)
	})
	if err = errors.Join(err, w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(s, "", "  ")
	err = errors.Join(err, os.MkdirAll("testdata", 0o755), os.WriteFile(goldenName+".tar.zst", out.Bytes(), 0o644), os.WriteFile(goldenName+".json", append(text, '\n'), 0o644),
		os.WriteFile(goldenName+".backup", saved.Bytes(), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", out.Len())
}

// openGolden unpacks the golden folder, and tells what it holds.
func openGolden(t *testing.T) (dir string, s sample) {
	t.Helper()
	text, err := os.ReadFile(goldenName + ".json")
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(goldenName + ".tar.zst")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer zip.Close()
	dir = t.TempDir()
	r := tar.NewReader(zip)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir, s
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		name := filepath.Join(dir, filepath.FromSlash(h.Name))
		err = errors.Join(err, os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, b, fs.FileMode(h.Mode)))
		if err != nil {
			t.Fatal(err)
		}
	}
}

// step is an upgrade to format 2 that moves a record, as a real one might.
func step(fail error) []upgradeStep {
	return []upgradeStep{{From: DataFormat, What: "a record moves", Run: func(ctx context.Context, p *Platform) error {
		_, err := p.store.Update(ctx, platformShard, func(tx store.Tx) error { return tx.Put([]byte("u|moved"), []byte("here")) })
		return errors.Join(err, fail)
	}}}
}

func movedRecord(t *testing.T, p *Platform) string {
	t.Helper()
	var got string
	err := p.store.View(t.Context(), platformShard, func(s store.Snapshot) error {
		b, err := s.Get([]byte("u|moved"))
		got = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestUpgrade(t *testing.T) {
	dir, s := openGolden(t)
	p, err := openStepsOf(t, dir, step(nil))
	if err != nil {
		t.Fatal(err)
	}
	rec, found, err := readFormat(t.Context(), p.store)
	if err != nil || !found || rec.Format != 2 || movedRecord(t, p) != "here" {
		t.Errorf("after the upgrade: %+v, %v, record %q", rec, err, movedRecord(t, p))
	}
	checkSample(t, p, s)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	points, err := os.ReadDir(filepath.Join(dir, "checkpoints"))
	if err != nil || len(points) != 1 || !strings.HasPrefix(points[0].Name(), "format-1-") {
		t.Fatalf("checkpoints: %v, %v", points, err)
	}
	// This program, which knows format 1 only, refuses what that one left, naming both.
	q, err := openStepsOf(t, dir, nil)
	if err == nil {
		q.Close()
		t.Fatal("a newer format was opened")
	}
	if !errors.Is(err, store.ErrVersion) || !strings.Contains(err.Error(), "has format 2") || !strings.Contains(err.Error(), "knows up to 1") {
		t.Errorf("newer format: %v", err)
	}
	// The checkpoint is the folder's store as it was: by hand, one gets back to the older release.
	if err := errors.Join(os.RemoveAll(filepath.Join(dir, "store")), os.Rename(filepath.Join(dir, "checkpoints", points[0].Name()), filepath.Join(dir, "store"))); err != nil {
		t.Fatal(err)
	}
	p = openPlatform(t, dir)
	defer p.Close()
	checkSample(t, p, s)
	if got := movedRecord(t, p); got != "" {
		t.Errorf("the checkpoint holds what the upgrade wrote: %q", got)
	}
}

func TestUpgrade_FailureIsPutBack(t *testing.T) {
	dir, s := openGolden(t)
	p, err := openStepsOf(t, dir, step(errors.New("cannot do it")))
	if err == nil {
		p.Close()
		t.Fatal("an upgrade that failed opened")
	}
	if !strings.Contains(err.Error(), "from format 1 to 2 (a record moves): cannot do it") {
		t.Error(err)
	}
	p = openPlatform(t, dir)
	if got := movedRecord(t, p); got != "" {
		t.Errorf("what the failed upgrade wrote is there: %q", got)
	}
	checkSample(t, p, s)
	p.Close()
	// And it can be tried again.
	if p, err = openStepsOf(t, dir, step(nil)); err != nil {
		t.Fatal(err)
	}
	checkSample(t, p, s)
	p.Close()
}

// TestUpgrade_RollbackCutOff: wherever a crash cuts a rollback, the next start ends it.
func TestUpgrade_RollbackCutOff(t *testing.T) {
	for _, renames := range []int{0, 1, 2} {
		dir, s := openGolden(t)
		p := openPlatform(t, dir)
		point := filepath.Join(dir, "checkpoints", "format-1-x")
		if err := errors.Join(os.MkdirAll(filepath.Dir(point), 0o700), p.store.Checkpoint(point)); err != nil {
			t.Fatal(err)
		}
		if err := step(nil)[0].Run(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		p.Close()
		err := os.WriteFile(filepath.Join(dir, rollbackMark), []byte("format-1-x\n"), 0o600)
		if renames > 0 {
			err = errors.Join(err, os.Rename(filepath.Join(dir, "store"), filepath.Join(dir, failedStore)))
		}
		if renames > 1 {
			err = errors.Join(err, os.Rename(point, filepath.Join(dir, "store")))
		}
		if err != nil {
			t.Fatal(err)
		}
		p = openPlatform(t, dir)
		if got := movedRecord(t, p); got != "" {
			t.Errorf("cut off after %d renames: the failed store is in use", renames)
		}
		checkSample(t, p, s)
		p.Close()
		if exists(filepath.Join(dir, rollbackMark)) {
			t.Errorf("cut off after %d renames: the mark stayed", renames)
		}
	}
}

// TestUpgrade_OfARestoredBackup: a backup of the previous format is restored by the program that knows the next, and upgraded when it opens.
func TestUpgrade_OfARestoredBackup(t *testing.T) {
	dir, s := openGolden(t)
	p := openPlatform(t, dir)
	var out bytes.Buffer
	if _, err := p.Backup(t.Context(), &out, true); err != nil {
		t.Fatal(err)
	}
	p.Close()
	to := t.TempDir()
	if _, err := Restore(t.Context(), &out, dataConfig(to), ""); err != nil {
		t.Fatal(err)
	}
	p, err := openStepsOf(t, to, step(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if rec, _, err := readFormat(t.Context(), p.store); err != nil || rec.Format != 2 || movedRecord(t, p) != "here" {
		t.Errorf("after restore and upgrade: %+v, %v", rec, err)
	}
	checkSample(t, p, s)
}
