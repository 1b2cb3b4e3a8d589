package slack

import (
	"os"
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
