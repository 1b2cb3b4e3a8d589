//go:build unix

package seal

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

func TestSource_FileDescriptor(t *testing.T) {
	t.Parallel()
	var p [2]int // no os.Pipe: whose files would close the descriptor again, when it is another's
	if err := syscall.Pipe(p[:]); err != nil {
		t.Fatal(err)
	}
	w := os.NewFile(uintptr(p[1]), "w")
	if _, err := w.WriteString("from a pipe\n"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	s, err := ParseSource(fmt.Sprintf("passphrase-fd:%d", p[0]))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := s.Read(""); err != nil || string(m.passphrase) != "from a pipe" {
		t.Errorf("got another passphrase (%v)", err)
	}
}
