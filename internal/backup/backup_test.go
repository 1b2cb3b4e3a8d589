package backup_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/backup"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

func sealer(t testing.TB, b byte) *seal.Sealer {
	t.Helper()
	s, err := seal.New(bytes.Repeat([]byte{b}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lines writes down what a sink gets.
type lines struct{ got []string }

func (l *lines) Shard(name string, lsn store.LSN) error {
	l.got = append(l.got, fmt.Sprintf("shard %s %d", name, lsn))
	return nil
}

func (l *lines) Record(k, v []byte) error {
	l.got = append(l.got, fmt.Sprintf("record %q %q", k, v))
	return nil
}

func (l *lines) File(path string, mode fs.FileMode, r io.Reader) error {
	b, err := io.ReadAll(r)
	l.got = append(l.got, fmt.Sprintf("file %s %o %q", path, mode, b))
	return err
}

// sample is a backup of several frames, and what it holds.
func sample(t testing.TB, s *seal.Sealer, h backup.Header) (file []byte, want []string, sum backup.Summary) {
	t.Helper()
	var out bytes.Buffer
	w, err := backup.NewWriter(&out, h, s)
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 1400<<10) // does not compress: several frames
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(noise)
	all := &lines{}
	both := func(fn func(backup.Sink) error) {
		if err := errors.Join(fn(w), fn(all)); err != nil {
			t.Fatal(err)
		}
	}
	both(func(s backup.Sink) error { return s.Shard("platform", 7) })
	both(func(s backup.Sink) error { return s.Record([]byte("a"), []byte("1")) })
	both(func(s backup.Sink) error { return s.Record([]byte("b"), nil) })
	both(func(s backup.Sink) error { return s.Record([]byte("noise"), noise) })
	both(func(s backup.Sink) error { return s.Shard("vault/1", 1) })
	both(func(s backup.Sink) error {
		return s.File("ca/root.pem", 0o644, strings.NewReader("text of the certificate"))
	})
	both(func(s backup.Sink) error { return s.File("blobs/x", 0o600, bytes.NewReader(noise[:200_000])) })
	both(func(s backup.Sink) error { return s.File("sites/1/data/empty", 0o600, strings.NewReader("")) })
	if sum, err = w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), all.got, sum
}

func read(file []byte, o backup.Opener) ([]string, backup.Summary, error) {
	r, err := backup.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, backup.Summary{}, err
	}
	var l lines
	sum, err := r.Read(o, &l)
	return l.got, sum, err
}

func TestBackup_RoundTrip(t *testing.T) {
	t.Parallel()
	s := sealer(t, 1)
	file, want, wrote := sample(t, s, backup.Header{Release: "r", DataFormat: 3})
	got, sum, err := read(file, s)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if sum != wrote || sum.Shards != 2 || sum.Records != 3 || sum.Files != 3 || sum.Bytes < 1400<<10 {
		t.Errorf("summary %+v, writer says %+v", sum, wrote)
	}
	r, err := backup.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if h := r.Header; h.KeyID != s.KeyID() || h.DataFormat != 3 || h.Format != backup.Format || h.MasterKey != nil {
		t.Errorf("header %+v", h)
	}
	if err := r.Whole(); err != nil {
		t.Errorf("Whole: %v", err)
	}
	for _, clear := range []string{"platform", "root.pem", "text of the certificate"} {
		if bytes.Contains(file, []byte(clear)) {
			t.Errorf("the file holds %q in clear", clear)
		}
	}
}

func TestBackup_WrongKey(t *testing.T) {
	t.Parallel()
	file, _, _ := sample(t, sealer(t, 1), backup.Header{})
	if _, _, err := read(file, sealer(t, 2)); !errors.Is(err, seal.ErrUnknownKey) {
		t.Errorf("got %v, want ErrUnknownKey", err)
	}
}

func TestBackup_Newer(t *testing.T) {
	t.Parallel()
	file, _, _ := sample(t, sealer(t, 1), backup.Header{Release: "9.9"})
	file = bytes.Replace(file, []byte(`"format":1`), []byte(`"format":2`), 1)
	_, _, err := read(file, sealer(t, 1))
	if !errors.Is(err, backup.ErrNewer) || !strings.Contains(err.Error(), "version 2") || !strings.Contains(err.Error(), "up to 1") {
		t.Errorf("got %v, want ErrNewer naming both", err)
	}
}

// TestBackup_CutOrChanged: no shortened or changed file reads to its end.
func TestBackup_CutOrChanged(t *testing.T) {
	t.Parallel()
	s := sealer(t, 1)
	file, _, _ := sample(t, s, backup.Header{})
	rng := rand.New(rand.NewPCG(1, 2))
	for range 25 {
		n := rng.IntN(len(file))
		if _, _, err := read(file[:n], s); err == nil {
			t.Errorf("cut at %d of %d: no error", n, len(file))
		}
		r, err := backup.NewReader(bytes.NewReader(file[:n]))
		if err == nil {
			err = r.Whole()
		}
		if err == nil {
			t.Errorf("cut at %d of %d: Whole says nothing", n, len(file))
		}
		bad := bytes.Clone(file)
		bad[n] ^= 1 << rng.IntN(8)
		if _, _, err := read(bad, s); err == nil {
			t.Errorf("bit changed at %d of %d: no error", n, len(file))
		}
	}
	if _, _, err := read(append(bytes.Clone(file), 'x'), s); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("a byte more: got %v, want ErrDamaged", err)
	}
}

func TestBackup_Fail(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w, err := backup.NewWriter(&out, backup.Header{}, sealer(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	w.Fail(errors.New("the disk broke"))
	r, err := backup.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Whole(); err == nil || !strings.Contains(err.Error(), "the disk broke") {
		t.Errorf("got %v, want the writer's own words", err)
	}
}

// plain is a sealer that hides nothing, so that fuzzing reaches what lies inside.
type plain struct{}

func (plain) KeyID() string                                   { return "plain" }
func (plain) Seal(_ string, _, plain []byte) ([]byte, error)  { return plain, nil }
func (plain) Open(_ string, _, sealed []byte) ([]byte, error) { return sealed, nil }

func FuzzRead(f *testing.F) {
	var out bytes.Buffer
	w, err := backup.NewWriter(&out, backup.Header{}, plain{})
	if err != nil {
		f.Fatal(err)
	}
	err = errors.Join(w.Shard("s", 1), w.Record([]byte("k"), []byte("v")), w.File("ca/x", 0o600, strings.NewReader("y")))
	if _, cerr := w.Close(); err != nil || cerr != nil {
		f.Fatal(err, cerr)
	}
	f.Add(out.Bytes())
	f.Add([]byte("bulkhead backup\n\x00\x00\x00\x02{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := backup.NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		sum, err := r.Read(plain{}, &lines{})
		if err == nil && sum.Bytes == 0 && sum.Records != 0 {
			t.Errorf("records of no bytes: %+v", sum)
		}
	})
}
