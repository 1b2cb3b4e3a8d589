package harness

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

// Shared is one platform for all tests of a package, started when the first asks for it. Its zero value is ready; call Main from TestMain.
type Shared struct {
	Options Options

	once sync.Once
	p    *Platform
	dir  string
	err  error
}

// Main runs the package's tests and ends the platform after them. Its result is the process's exit code.
func (s *Shared) Main(m *testing.M) int {
	code := m.Run()
	if s.p == nil {
		return code
	}
	if err := errors.Join(s.p.stop(), os.RemoveAll(s.dir)); err != nil {
		fmt.Fprintln(os.Stderr, "stop the shared platform:", err)
		return max(code, 1)
	}
	return code
}

// Platform returns the package's platform. If t fails, what the platform logged meanwhile is shown.
func (s *Shared) Platform(t testing.TB) *Platform {
	t.Helper()
	s.once.Do(func() {
		if s.dir, s.err = os.MkdirTemp("", "bulkhead-e2e-"); s.err != nil {
			return
		}
		s.p, s.err = open(s.dir, s.Options)
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	var from int64
	if st, err := os.Stat(s.p.Log); err == nil {
		from = st.Size()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("end of the platform's log:\n%s", s.p.Tail(from))
		}
	})
	return s.p
}
