package app

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// executable writes a file that has the head of one for Linux, with one part of that type.
func executable(t *testing.T, part elf.ProgType) string {
	t.Helper()
	var b bytes.Buffer
	head := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT), Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	for _, v := range []any{head, elf.Prog64{Type: uint32(part)}} {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(name, b.Bytes(), 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestStatic: a program that would not run in an image without libraries is not put into one.
func TestStatic(t *testing.T) {
	t.Parallel()
	if err := static(executable(t, elf.PT_LOAD)); err != nil {
		t.Error(err)
	}
	if err := static(executable(t, elf.PT_INTERP)); err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("a program that needs libraries: %v", err)
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := static(text); err == nil {
		t.Error("a script was taken for a program")
	}
}
