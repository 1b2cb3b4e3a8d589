package seal_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/seal"
)

func keyOf(b byte) []byte { return bytes.Repeat([]byte{b}, seal.KeySize) }

func sealer(t testing.TB, keys ...[]byte) *seal.Sealer {
	t.Helper()
	s, err := seal.New(keys[0], keys[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSeal(t *testing.T) {
	t.Parallel()
	s := sealer(t, keyOf(1))
	plain := []byte("correct horse battery staple")
	sealed, err := s.Seal("vault/1", []byte("k"), plain)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, plain[:8]) {
		t.Error("sealed record shows the plaintext")
	}
	if got, err := s.Open("vault/1", []byte("k"), sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("Open: got %q, %v", got, err)
	}
	if again, err := s.Seal("vault/1", []byte("k"), plain); err != nil || bytes.Equal(again, sealed) {
		t.Errorf("sealing twice gave the same bytes (%v)", err)
	}
	if got, err := s.Open("vault/1k", nil, sealed); !errors.Is(err, seal.ErrDamaged) {
		t.Errorf("shard and key run together: got %q, %v", got, err)
	}
	if _, err := s.Open("vault/2", []byte("k"), sealed); !errors.Is(err, seal.ErrDamaged) {
		t.Errorf("another shard: %v", err)
	}
	if _, err := s.Open("vault/1", []byte("l"), sealed); !errors.Is(err, seal.ErrDamaged) {
		t.Errorf("another key: %v", err)
	}
	if _, err := sealer(t, keyOf(2)).Open("vault/1", []byte("k"), sealed); !errors.Is(err, seal.ErrUnknownKey) {
		t.Errorf("another master key: %v", err)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if got, err := s.Open("vault/1", []byte("k"), bad); err == nil {
			t.Errorf("byte %d changed: opened as %q", i, got)
		}
		if got, err := s.Open("vault/1", []byte("k"), sealed[:i]); err == nil {
			t.Errorf("cut at %d: opened as %q", i, got)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	old := sealer(t, keyOf(1))
	sealed, err := old.Seal("s", []byte("k"), []byte("v"))
	if err != nil {
		t.Fatal(err)
	}
	both := sealer(t, keyOf(2), keyOf(1))
	if got, err := both.Open("s", []byte("k"), sealed); err != nil || string(got) != "v" {
		t.Errorf("after rotation: got %q, %v", got, err)
	}
	if !old.Current(sealed) || both.Current(sealed) || old.KeyID() == both.KeyID() {
		t.Error("a record of the old master key counts as current")
	}
	again, err := both.Seal("s", []byte("k"), []byte("v"))
	if err != nil || !both.Current(again) {
		t.Errorf("sealed anew: not current (%v)", err)
	}
	if _, err := old.Open("s", []byte("k"), again); !errors.Is(err, seal.ErrUnknownKey) {
		t.Errorf("the old key alone opened a new record: %v", err)
	}
	if !bytes.Equal(old.MAC("s", "a"), both.MAC("s", "a")) {
		t.Error("a MAC changed by rotation")
	}
}

func TestMAC(t *testing.T) {
	t.Parallel()
	s := sealer(t, keyOf(1))
	seen := map[string]string{}
	for _, m := range []struct {
		shard string
		parts []string
	}{
		{"s", nil}, {"s", []string{""}}, {"s", []string{"ab"}}, {"s", []string{"a", "b"}}, {"s", []string{"", "ab"}}, {"t", []string{"ab"}},
	} {
		mac := s.MAC(m.shard, m.parts...)
		if len(mac) != 32 || !bytes.Equal(mac, s.MAC(m.shard, m.parts...)) {
			t.Errorf("MAC(%v): %d bytes, or not the same twice", m, len(mac))
		}
		if other, ok := seen[string(mac)]; ok {
			t.Errorf("MAC(%v) equals that of %s", m, other)
		}
		seen[string(mac)] = fmt.Sprint(m)
	}
	if bytes.Equal(s.MAC("s", "a"), sealer(t, keyOf(2)).MAC("s", "a")) {
		t.Error("MAC does not depend on the master key")
	}
}

func TestRedacted(t *testing.T) {
	t.Parallel()
	s := sealer(t, []byte("0123456789abcdef0123456789abcdef"))
	s.MAC("s", "x")
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "sealer", s)
	j, err := json.Marshal(map[string]any{"s": s})
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(j) + fmt.Sprintf("%v %+v %#v %s %d %x", s, s, s, s, s, s)
	for _, secret := range []string{"0123456789abcdef", hex.EncodeToString([]byte("01234567")), "[48 49 50"} {
		if strings.Contains(all, secret) {
			t.Errorf("output shows the key: %s", all)
		}
	}
}

func TestOpenOrCreate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "master.key")
	var wg sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids { // all at once agree on one key
		wg.Go(func() {
			s, err := seal.OpenOrCreate(path)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = s.KeyID()
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("got keys %v, want one", ids)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != seal.KeySize {
		t.Fatalf("file: %v, %v", info, err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("files left over: %v", left)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.OpenOrCreate(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("readable by a group: got %v", err)
	}
	for size, ok := range map[int]bool{0: false, 31: false, 33: false, 32: true, 64: true, 64*32 + 32: false} {
		p := filepath.Join(t.TempDir(), "k")
		if err := os.WriteFile(p, bytes.Repeat([]byte{7}, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.OpenOrCreate(p); (err == nil) != ok {
			t.Errorf("file of %d bytes: got %v", size, err)
		}
	}
	if _, err := seal.OpenOrCreate(filepath.Join(path, "below")); err == nil {
		t.Error("path below a file: got no error")
	}
	if _, err := seal.New(keyOf(1)[:31]); err == nil {
		t.Error("short key: got no error")
	}
}

func FuzzOpen(f *testing.F) {
	s := sealer(f, keyOf(1))
	sealed, err := s.Seal("s", []byte("k"), []byte("v"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte{})
	f.Add(sealed[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		// The fuzzer's processes seal their seeds with nonces of their own, so what opens need not be this process's record; but nobody sealed anything but v.
		if got, err := s.Open("s", []byte("k"), b); err == nil && string(got) != "v" {
			t.Errorf("forged record opened as %q", got)
		}
	})
}

func BenchmarkSealOpen(b *testing.B) {
	s := sealer(b, keyOf(1))
	plain := make([]byte, 200)
	b.ReportAllocs()
	for b.Loop() {
		x, err := s.Seal("vault/1", []byte("k"), plain)
		if err == nil {
			_, err = s.Open("vault/1", []byte("k"), x)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
