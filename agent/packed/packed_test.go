package packed

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// program makes an ELF file for 64 bits with one part that is run.
func program(code []byte, end string) []byte {
	b := make([]byte, 64+56)
	copy(b, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint64(b[32:], 64)
	binary.LittleEndian.PutUint16(b[54:], 56)
	binary.LittleEndian.PutUint16(b[56:], 1)
	h := b[64:]
	binary.LittleEndian.PutUint32(h, typeLoad)
	binary.LittleEndian.PutUint32(h[4:], 5)
	binary.LittleEndian.PutUint64(h[8:], uint64(len(b)))
	binary.LittleEndian.PutUint64(h[32:], uint64(len(code)))
	return append(append(b, code...), end...)
}

// narrow makes one for 32 bits, the highest byte first.
func narrow(code []byte) []byte {
	b := make([]byte, 52+32)
	copy(b, "\x7fELF\x01\x02\x01")
	binary.BigEndian.PutUint32(b[28:], 52)
	binary.BigEndian.PutUint16(b[42:], 32)
	binary.BigEndian.PutUint16(b[44:], 1)
	h := b[52:]
	binary.BigEndian.PutUint32(h, typeLoad)
	binary.BigEndian.PutUint32(h[4:], uint32(len(b)))
	binary.BigEndian.PutUint32(h[16:], uint32(len(code)))
	binary.BigEndian.PutUint32(h[24:], 5)
	return append(b, code...)
}

func chance(n int) []byte {
	r, b := rand.New(rand.NewPCG(1, 2)), make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestInspect(t *testing.T) {
	t.Parallel()
	plain := bytes.Repeat([]byte("\x48\x89\xe5\x41\x57\x0f\x1f\x44\x00\x00\xe8\x12\x34"), 5000)
	for name, c := range map[string]struct {
		file []byte
		want Kind
	}{
		"instructions":                     {program(plain, ""), None},
		"UPX, its mark at the end":         {program(plain, "UPX!\x0d\x24\x00\x00"), UPX},
		"UPX, its mark at the beginning":   {program(append([]byte("\x00\x00UPX!\x0d\x24"), plain...), ""), UPX},
		"UPX's mark in the middle":         {program(append(append(bytes.Clone(plain), "UPX!"...), plain...), ""), None},
		"compressed":                       {program(chance(300<<10), ""), Encoded},
		"compressed, 32 bits":              {narrow(chance(60 << 10)), Encoded},
		"compressed, but little":           {program(chance(1000), ""), None},
		"compressed data beside the code":  {program(plain, string(chance(300<<10))), None},
		"no program":                       {append([]byte("#!/bin/sh\n# UPX!\n"), chance(100<<10)...), None},
		"an archive":                       {append([]byte("\x1f\x8b"), chance(100<<10)...), None},
		"nothing":                          {nil, None},
		"cut off":                          {program(chance(300<<10), "")[:70], None},
		"a part that is larger than it is": {program(chance(8192), "")[:64+56+5000], Encoded},
	} {
		if got, err := Inspect(bytes.NewReader(c.file), int64(len(c.file))); got != c.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
}

// TestInspect_Installed: the programs of this machine are not packed.
func TestInspect_Installed(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only where programs are ELF files")
	}
	looked := 0
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("/usr/bin/[a-g]*")
	for _, name := range append(files[:min(len(files), 200)], own) {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			looked++
			if k, err := Inspect(f, info.Size()); k != None || err != nil {
				t.Errorf("%s: %q, %v", name, k, err)
			}
		}
		f.Close()
	}
	t.Logf("%d files", looked)
}

func TestChecker(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write := func(name string, b []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	packed := program(chance(64<<10), "UPX!")
	write("/tmp/.x/a", packed)
	write("/usr/bin/a", packed)
	write("/opt/b", program([]byte("\x90\x90"), ""))
	c := NewChecker(root)
	look := func(kind activity.Kind, name string) string {
		e := &activity.Event{Kind: kind, Success: true, Command: activity.Command{File: []byte(name)}}
		c.Event(e)
		return string(e.Command.Packed)
	}
	for name, want := range map[string]string{"/tmp/.x/a": "UPX", "/usr/bin/a": "", "/opt/b": "", "/tmp/none": "", "/tmp/.x": "", "tmp/.x/a": "", "": ""} {
		if got := look(activity.Exec, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := look(activity.Delete, "/tmp/.x/a"); got != "" {
		t.Errorf("a file that isn't started: %q", got)
	}
	write("/tmp/.x/a", program([]byte("\x90"), "")) // another program under the name
	if got := look(activity.Exec, "/tmp/.x/a"); got != "" {
		t.Errorf("after it changed: %q", got)
	}
}

// TestChecker_Hash: the hash is of what runs, a script's where an interpreter was given one, and anew when the file changed, whatever its time says.
func TestChecker_Hash(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "opt"), 0o755); err != nil {
		t.Fatal(err)
	}
	job := filepath.Join(root, "opt/job.sh")
	write := func(text string) [32]byte {
		t.Helper()
		if err := os.WriteFile(job, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(1_700_000_000, 0)
		if err := os.Chtimes(job, at, at); err != nil {
			t.Fatal(err)
		}
		return sha256.Sum256([]byte(text))
	}
	want := write("one\n")
	c := NewChecker(root)
	look := func(file, dir string, args ...string) []byte {
		e := &activity.Event{Kind: activity.Exec, Success: true, Command: activity.Command{File: []byte(file), Dir: []byte(dir)}}
		for _, a := range args {
			e.Command.Args = append(e.Command.Args, []byte(a))
		}
		c.Event(e)
		return e.Command.SHA256
	}
	for _, x := range []struct {
		file, dir string
		args      []string
		want      bool
	}{
		{"/opt/job.sh", "/", []string{"/opt/job.sh"}, true},
		{"/usr/bin/bash", "/", []string{"bash", "/opt/job.sh"}, true},
		{"/usr/bin/bash", "/opt", []string{"bash", "-x", "job.sh", "a"}, true},
		{"/usr/bin/python3.11", "/opt", []string{"python3", "-u", "job.sh"}, true},
		{"/usr/bin/bash", "/", []string{"bash", "-c", "/opt/job.sh"}, false},
		{"/usr/bin/bash", "", []string{"bash", "job.sh"}, false},
		{"/usr/bin/bash", "/", []string{"bash"}, false},
		{"/usr/bin/bash", "/", nil, false},
		{"/usr/bin/cat", "/", []string{"cat", "/opt/job.sh"}, false},
		{"/usr/bin/python3", "/", []string{"python3", "-m", "/opt/job.sh"}, false},
		{"/opt/none", "/", []string{"/opt/none"}, false},
	} {
		got := look(x.file, x.dir, x.args...)
		if x.want && !bytes.Equal(got, want[:]) || !x.want && got != nil {
			t.Errorf("%s %q: %x", x.file, x.args, got)
		}
	}
	if runtime.GOOS != "linux" {
		return // others' files are told apart by size and time alone
	}
	for range 100 { // the kernel's clock goes by steps
		time.Sleep(10 * time.Millisecond)
		if want = write("two\n"); bytes.Equal(look("/opt/job.sh", "/", "/opt/job.sh"), want[:]) {
			return
		}
	}
	t.Error("a file with other content of the same size and time has the old hash")
}

func FuzzInspect(f *testing.F) {
	f.Add(program([]byte("\x90"), "UPX!"))
	f.Add(program(chance(5000), ""))
	f.Add(narrow(chance(5000)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := Inspect(bytes.NewReader(b), int64(len(b))); err != nil || k != None && string(b[:4]) != "\x7fELF" {
			t.Errorf("%q, %v", k, err)
		}
		_, _ = Inspect(bytes.NewReader(b), int64(len(b))+1<<20) // it became shorter meanwhile
	})
}
