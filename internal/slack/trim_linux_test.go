package slack

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestOwnReadOnly(t *testing.T) {
	t.Parallel()
	const exe = "/opt/bulkhead"
	for line, want := range map[string]bool{
		"00402000-01b37000 r-xp 00002000 08:01 42                                 /opt/bulkhead\n":    true,
		"01b37000-03de3000 r--p 01737000 08:01 42                                 /opt/bulkhead\n":    true,
		"03de4000-041e9000 rw-p 039e3000 08:01 42                                 /opt/bulkhead\n":    false, // what is written to it is nowhere else
		"7f5fe81c8000-7f5fe831e000 r-xp 00026000 08:01 43                         /usr/lib/libc.so\n": false,
		"cd548000000-cd549000000 rw-p 00000000 00:00 0 \n":                                            false,
		"zz-01b37000 r-xp 0 0 0 /opt/bulkhead\n":                                                      false,
		"":                                                                                            false,
	} {
		if from, to, ok := ownReadOnly([]byte(line), exe); ok != want || ok && from >= to {
			t.Errorf("%q: %x to %x, %t; want %t", line, from, to, ok, want)
		}
	}
}

func TestOwnReadOnlyRanges(t *testing.T) {
	t.Parallel()
	const maps = "00400000-00401000 r--p 0 08:01 42 /opt/bulkhead\n00401000-00409000 r-xp 1000 08:01 42 /opt/bulkhead\n00409000-0040b000 r--p 9000 08:01 42 /opt/bulkhead\n" +
		"0040b000-0040c000 rw-p b000 08:01 42 /opt/bulkhead\n0040c000-0040d000 r--p c000 08:01 42 /opt/bulkhead\n0040d000-0040e000 r--p 0 08:01 43 /usr/lib/libc.so\n"
	got := ownReadOnlyRanges([]byte(maps), "/opt/bulkhead")
	if want := []area{{0x400000, 0x40b000}, {0x40c000, 0x40d000}}; !slices.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	if got := ownReadOnlyRanges([]byte(maps), "/opt/other"); got != nil {
		t.Errorf("of a program that isn't mapped: %x", got)
	}
}

// TestTrim_Pieces: no mapping of the program's that can't be written stays larger than a piece.
func TestTrim_Pieces(t *testing.T) {
	Trim()
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range bytes.Lines(maps) {
		if from, to, ok := ownReadOnly(line, exe); ok {
			n++
			if to-from > piece {
				t.Errorf("%s has more than %d bytes", line, piece)
			}
		}
	}
	if n < 10 {
		t.Errorf("%d pieces", n)
	}
}

// TestTrim: the program goes on as before, from the pages it reads again.
func TestTrim(t *testing.T) {
	before, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		Trim()
	}
	if !strings.HasPrefix(string(before), "\x7fELF") || len(strings.Repeat("ab", 1000)) != 2000 {
		t.Error("the program is not what it was")
	}
}
