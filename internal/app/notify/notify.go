// Package notify tells the service manager that started this process how it is doing: systemd's protocol (sd_notify(3)), one datagram a message, without its library.
//
//	READY=1
//	STATUS=front door on 127.0.0.1:8443
package notify

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// variable is where the manager names its socket.
const variable = "NOTIFY_SOCKET"

// sendTimeout is for a manager that does not read.
const sendTimeout = 2 * time.Second

// Manager is who is told. The zero value tells no one.
type Manager struct{ socket string }

// FromEnvironment takes the manager's socket out of the environment, so that no child process speaks in our name.
func FromEnvironment() Manager {
	m := Manager{os.Getenv(variable)}
	os.Unsetenv(variable)
	return m
}

// Ready tells that everything answers; status is a line for people.
func (m Manager) Ready(status string) error { return m.send("READY=1", "STATUS="+status) }

// Stopping tells that the process winds down.
func (m Manager) Stopping() error { return m.send("STOPPING=1", "STATUS=stopping") }

func (m Manager) send(lines ...string) error {
	if m.socket == "" {
		return nil
	}
	if m.socket[0] != '/' && m.socket[0] != '@' { // vsock and the like
		return fmt.Errorf("%s: %q is neither a path nor an abstract socket", variable, m.socket)
	}
	c, err := net.DialTimeout("unixgram", m.socket, sendTimeout)
	if err != nil {
		return fmt.Errorf("%s: %w", variable, err)
	}
	defer c.Close()
	_ = c.SetWriteDeadline(time.Now().Add(sendTimeout))
	for i, l := range lines {
		lines[i] = strings.ReplaceAll(l, "\n", " ")
	}
	_, err = c.Write([]byte(strings.Join(lines, "\n") + "\n"))
	return err
}
