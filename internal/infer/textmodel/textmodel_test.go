package textmodel

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPack(t *testing.T) {
	t.Parallel()
	file, err := Pack("BHTEST01", func(w io.Writer) error {
		_, err := io.WriteString(w, "weights")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Unpack("BHTEST01", file)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "weights" {
		t.Errorf("got %q, %v; want weights", got, err)
	}
	if _, err := Unpack("BHTEST02", file); !errors.Is(err, ErrMagic) {
		t.Errorf("other version: got %v, want ErrMagic", err)
	}
	broken := errors.New("broken")
	if _, err := Pack("BHTEST01", func(io.Writer) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v, want what write answered", err)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"b/two.txt", "a.txt", "b/one.txt"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name+"\nend"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	err := Files([]string{dir}, func(path string) error {
		return Lines(path, func(n int, line string) error {
			if n == 0 {
				got = append(got, line)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a.txt", "b/one.txt", "b/two.txt"}, got); diff != "" {
		t.Error(diff)
	}
	broken := errors.New("broken")
	err = Files([]string{dir}, func(string) error { return broken })
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "a.txt") {
		t.Errorf("got %v, want broken and the file's name", err)
	}
	if err := Files([]string{filepath.Join(dir, "absent")}, func(string) error { return nil }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that there is no such folder", err)
	}
}

func TestPrimary(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{"pt-BR": "pt", "zh_chs": "zh", "EN": "en", "": ""} {
		if got := Primary(tag); got != want {
			t.Errorf("%q: got %q, want %q", tag, got, want)
		}
	}
}
