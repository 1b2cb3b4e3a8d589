//go:build unix

package notify

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// manager listens as systemd would.
func manager(t *testing.T, socket string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestManager_Messages(t *testing.T) {
	sockets := []string{filepath.Join(t.TempDir(), "notify")}
	if runtime.GOOS == "linux" {
		sockets = append(sockets, "@bulkhead-test-"+filepath.Base(t.TempDir())+time.Now().Format("150405.000000000"))
	}
	for _, socket := range sockets {
		c := manager(t, socket)
		t.Setenv(variable, socket)
		m := FromEnvironment()
		if v, ok := os.LookupEnv(variable); ok {
			t.Errorf("children would still see %s=%s", variable, v)
		}
		for _, tt := range []struct {
			send func() error
			want string
		}{
			{func() error { return m.Ready("up\nREADY=0") }, "READY=1\nSTATUS=up READY=0\n"},
			{m.Stopping, "STOPPING=1\nSTATUS=stopping\n"},
		} {
			if err := tt.send(); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 1024)
			n, err := c.Read(buf)
			if err != nil || string(buf[:n]) != tt.want {
				t.Errorf("%s: got %q, %v; want %q", socket, buf[:n], err, tt.want)
			}
		}
	}
}

func TestManager_None(t *testing.T) {
	t.Setenv(variable, "")
	if err := FromEnvironment().Ready("x"); err != nil {
		t.Error(err)
	}
	for _, socket := range []string{"vsock:2:1234", filepath.Join(t.TempDir(), "nobody-listens")} {
		if err := (Manager{socket}).Ready("x"); err == nil {
			t.Errorf("%s: no error", socket)
		}
	}
}
