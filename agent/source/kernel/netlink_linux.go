package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
)

// Requests (linux/audit.h).
const (
	getStatus = 1000
	setStatus = 1001
	addRule   = 1011
	delRule   = 1012
	listRules = 1013
)

const (
	answerTime  = 3 * time.Second
	maxMessage  = 64 << 10
	header      = unix.NLMSG_HDRLEN
	socketBytes = 32 << 20 // what the kernel may keep for us between two reads: some seconds of a storm
	groupReadit = 1        // AUDIT_NLGRP_READLOG
)

// refused says what a refusal means.
func refused(doing string, err error) error {
	var why string
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		why = "it wants root, or the capabilities CAP_AUDIT_READ and CAP_AUDIT_CONTROL, on the machine itself and not in a container"
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EAFNOSUPPORT):
		why = "nothing answers: the kernel has no audit system, was booted with audit=0, or this is a container"
	case errors.Is(err, unix.EEXIST):
		why = "the rule is there already"
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ETIMEDOUT):
		why = "it gave no answer in time"
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w: %s (%w)", doing, ErrRefused, why, err)
}

// conn asks the audit system. Safe for concurrent use.
type conn struct {
	mu  sync.Mutex
	fd  int
	seq uint32
	buf []byte
}

func dial() (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_AUDIT)
	if err != nil {
		return nil, refused("open the audit system", err)
	}
	t := unix.NsecToTimeval(answerTime.Nanoseconds())
	if err := errors.Join(unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &t), unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})); err != nil {
		unix.Close(fd)
		return nil, refused("open the audit system", err)
	}
	return &conn{fd: fd, buf: make([]byte, maxMessage)}, nil
}

func (c *conn) close() { unix.Close(c.fd) }

// ask sends a request and calls answer with each message of that type that answers it. It returns once the kernel has said that it is done.
func (c *conn) ask(request uint16, data []byte, answer func([]byte)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	msg := make([]byte, header, header+len(data))
	binary.NativeEndian.PutUint32(msg, uint32(header+len(data)))
	binary.NativeEndian.PutUint16(msg[4:], request)
	binary.NativeEndian.PutUint16(msg[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	binary.NativeEndian.PutUint32(msg[8:], c.seq)
	msg = append(msg, data...)
	if err := unix.Sendto(c.fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	// The acknowledgement and the answers come from different threads of the kernel, in any order.
	acked, done := false, request != getStatus && request != listRules
	for !acked || !done {
		n, _, err := unix.Recvfrom(c.fd, c.buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		all, err := syscall.ParseNetlinkMessage(c.buf[:n])
		if err != nil {
			return err
		}
		for _, m := range all {
			if m.Header.Seq != c.seq {
				continue
			}
			switch m.Header.Type {
			case unix.NLMSG_ERROR:
				if len(m.Data) < 4 {
					return errRule
				}
				if e := int32(binary.NativeEndian.Uint32(m.Data)); e != 0 {
					return unix.Errno(-e)
				}
				acked = true
			case unix.NLMSG_DONE:
				done = true
			case request:
				answer(m.Data)
				done = done || request == getStatus
			}
		}
	}
	return nil
}

func (c *conn) status() (s Status, err error) {
	err = c.ask(getStatus, nil, func(b []byte) { s = decodeStatus(b) })
	if err != nil {
		err = refused("read the audit system's status", err)
	}
	return s, err
}

func (c *conn) set(mask uint32, s Status) error {
	if mask == 0 {
		return nil
	}
	if err := c.ask(setStatus, s.encode(mask), nil); err != nil {
		return refused("set the audit system's status", err)
	}
	return nil
}

// rules are those that the kernel has, each also in its own form.
func (c *conn) rules() (all []*Rule, raw [][]byte, err error) {
	var broken error
	err = c.ask(listRules, nil, func(b []byte) {
		r, err := decodeRule(b)
		if err != nil {
			broken = err
			return
		}
		all, raw = append(all, r), append(raw, append([]byte(nil), b[:ruleSize+textLength(b)]...))
	})
	if err = errors.Join(err, broken); err != nil {
		return nil, nil, refused("list audit rules", err)
	}
	return all, raw, nil
}

// group is the socket that gets a copy of every record.
type group struct {
	f   *os.File
	buf []byte
}

func join() (*group, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_AUDIT)
	if err != nil {
		return nil, refused("open the audit system", err)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketBytes) != nil { // wants CAP_NET_ADMIN
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, socketBytes)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (groupReadit - 1)}); err != nil {
		unix.Close(fd)
		return nil, refused("listen to the audit system", err)
	}
	return &group{f: os.NewFile(uintptr(fd), "audit"), buf: make([]byte, maxMessage)}, nil
}

// waiting tells whether there is something to read.
func (g *group) waiting() bool {
	c, err := g.f.SyscallConn()
	if err != nil {
		return false
	}
	n := 0
	err = c.Control(func(fd uintptr) {
		n, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	})
	return err == nil && n > 0
}

// read waits for a message. The payload is valid until the next call. unix.ENOBUFS means that some were lost before it.
func (g *group) read() (t linuxaudit.Type, payload []byte, err error) {
	n, err := g.f.Read(g.buf)
	if err != nil {
		return 0, nil, err
	}
	if n < header {
		return 0, nil, nil
	}
	return linuxaudit.Type(binary.NativeEndian.Uint16(g.buf[4:])), g.buf[header:n], nil
}
