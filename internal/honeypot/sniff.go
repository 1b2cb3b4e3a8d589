package honeypot

import (
	"bufio"
	"bytes"
	"crypto/md5" //nolint:gosec // HASSH is defined by it
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// hello is what a client says in clear before the key exchange.
type hello struct {
	banner string
	offers string // key exchange; ciphers; MACs; compression, as HASSH joins them
	hassh  string
}

const maxBanner = 255

var errBanner = errors.New("not an SSH client")

// readBanner reads a client's version line, and what it sent instead of one.
func readBanner(r *bufio.Reader) (string, error) {
	line := make([]byte, 0, maxBanner)
	for len(line) < maxBanner {
		b, err := r.ReadByte()
		if err != nil {
			return string(line), err
		}
		if b == '\n' {
			break
		}
		line = append(line, b)
	}
	text := strings.TrimSuffix(string(line), "\r")
	if !strings.HasPrefix(text, "SSH-2.0-") && !strings.HasPrefix(text, "SSH-1.99-") {
		return text, errBanner
	}
	return text, nil
}

// parseKexInit reads a KEXINIT packet as it goes over the wire in clear (RFC 4253, 6 and 7.1), and gives the four lists that a client's HASSH is the MD5 of: key exchange,
// ciphers, MACs and compression of the client's own direction.
func parseKexInit(packet []byte) (offers string, ok bool) {
	if len(packet) < 6 {
		return "", false
	}
	size, padding := int(binary.BigEndian.Uint32(packet)), int(packet[4])
	if size < 2 || size > 35000 || padding >= size-1 || len(packet) < 4+size || packet[5] != 20 {
		return "", false
	}
	body := packet[5 : 4+size-padding]
	if len(body) < 17 {
		return "", false
	}
	body = body[17:] // the message's number and the cookie
	var lists [8]string
	for i := range lists {
		if len(body) < 4 {
			return "", false
		}
		n := int(binary.BigEndian.Uint32(body))
		if n < 0 || n > len(body)-4 {
			return "", false
		}
		lists[i], body = string(body[4:4+n]), body[4+n:]
	}
	return lists[0] + ";" + lists[2] + ";" + lists[4] + ";" + lists[6], true
}

func hasshOf(offers string) string {
	sum := md5.Sum([]byte(offers)) //nolint:gosec // HASSH is defined by it
	return hex.EncodeToString(sum[:])
}

// quiet is a connection whose version lines were exchanged already: the server's own is not written again, the client's is read again. It keeps the client's first
// packet on its way through.
type quiet struct {
	*limitedConn
	again  io.Reader
	skip   int // bytes of the version line that are still to be left out
	client *hello
	first  []byte
	done   bool
	tell   func()
}

// Read implements net.Conn.
func (c *quiet) Read(b []byte) (int, error) {
	n, err := c.again.Read(b)
	if c.done || n == 0 {
		return n, err
	}
	c.first = append(c.first, b[:n]...)
	packet := c.first
	if i := bytes.IndexByte(packet, '\n'); i >= 0 {
		packet = packet[i+1:]
		if len(packet) >= 4 && len(packet) >= 4+int(binary.BigEndian.Uint32(packet)) || len(packet) > 40000 {
			if offers, ok := parseKexInit(packet); ok {
				c.client.offers, c.client.hassh = offers, hasshOf(offers)
			}
			c.done, c.first = true, nil
			c.tell()
		}
	}
	return n, err
}

// Write implements net.Conn.
func (c *quiet) Write(b []byte) (int, error) {
	left := min(c.skip, len(b))
	c.skip -= left
	if left == len(b) {
		return left, nil
	}
	n, err := c.limitedConn.Write(b[left:])
	return n + left, err
}

// limitedConn ends at a time, when nothing comes for a while, and after so many bytes.
type limitedConn struct {
	net.Conn
	end     atomic.Int64 // Unix nanoseconds; it is set while others read
	idle    time.Duration
	in, out int64
}

var errBytes = errors.New("too many bytes")

// until sets when the connection ends.
func (c *limitedConn) until(t time.Time) { c.end.Store(t.UnixNano()) }

// Read implements net.Conn.
func (c *limitedConn) Read(b []byte) (int, error) {
	if c.in <= 0 {
		return 0, errBytes
	}
	by := time.Now().Add(c.idle)
	if end := time.Unix(0, c.end.Load()); by.After(end) {
		by = end
	}
	if err := c.Conn.SetReadDeadline(by); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(b)
	c.in -= int64(n)
	return n, err
}

// Write implements net.Conn.
func (c *limitedConn) Write(b []byte) (int, error) {
	if c.out -= int64(len(b)); c.out < 0 {
		return 0, errBytes
	}
	if err := c.Conn.SetWriteDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
