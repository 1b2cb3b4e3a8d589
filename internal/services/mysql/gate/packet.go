package gate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
)

// maxHandshake is the longest packet of a handshake that is read, in bytes; connection attributes are the longest part of one.
const maxHandshake = 64 << 10

// Capabilities of the protocol that the gate looks at.
const (
	capProtocol41 = 0x00000200
	capSSL        = 0x00000800
)

// The first byte of a server's packet.
const (
	headOK  = 0x00
	headErr = 0xff
)

var errPacket = errors.New("malformed packet")

// packet is one packet of the protocol: its sequence number and its payload.
type packet struct {
	seq  byte
	body []byte
}

// readPacket reads one packet and not a byte more, since what follows may be TLS.
func readPacket(r io.Reader) (packet, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return packet{}, err
	}
	n := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if n == 0 || n > maxHandshake {
		return packet{}, fmt.Errorf("%w of %d bytes", errPacket, n)
	}
	p := packet{seq: head[3], body: make([]byte, n)}
	if _, err := io.ReadFull(r, p.body); err != nil {
		return packet{}, io.ErrUnexpectedEOF
	}
	return p, nil
}

func (p packet) writeTo(w io.Writer) error {
	n := len(p.body)
	out := make([]byte, 0, 4+n)
	out = append(out, byte(n), byte(n>>8), byte(n>>16), p.seq)
	_, err := w.Write(append(out, p.body...))
	return err
}

// refusal is an error packet.
func refusal(seq byte, code uint16, state, message string) packet {
	b := []byte{headErr, byte(code), byte(code >> 8)}
	if state != "" {
		b = append(append(b, '#'), state...)
	}
	return packet{seq, append(b, message...)}
}

// errorCode is the number of an error packet.
func errorCode(p packet) uint16 {
	if len(p.body) < 3 {
		return 0
	}
	return binary.LittleEndian.Uint16(p.body[1:])
}

// offerTLS adds TLS to what a server's greeting offers.
func offerTLS(p packet) error {
	if p.body[0] != 10 {
		return fmt.Errorf("%w: greeting of protocol %d", errPacket, p.body[0])
	}
	end := bytes.IndexByte(p.body, 0)
	at := end + 1 + 4 + 8 + 1 // connection id, first part of the nonce, filler
	if end < 0 || len(p.body) < at+2 {
		return fmt.Errorf("%w: short greeting", errPacket)
	}
	p.body[at+1] |= capSSL >> 8
	return nil
}

// fixedResponse is how long the fixed part of a handshake response is: capabilities, packet size, character set, filler.
const fixedResponse = 4 + 4 + 1 + 23

// wantsTLS tells whether a client's first packet asks for TLS, and whether it is the short one that does nothing else.
func wantsTLS(p packet) (asks, only bool) {
	asks = len(p.body) >= 4 && binary.LittleEndian.Uint32(p.body)&capSSL != 0
	return asks, asks && len(p.body) == fixedResponse
}

// login takes the user name out of a handshake response.
func login(p packet) (string, error) {
	if len(p.body) <= fixedResponse || binary.LittleEndian.Uint32(p.body)&capProtocol41 == 0 {
		return "", fmt.Errorf("%w: not a handshake response of protocol 4.1", errPacket)
	}
	end := bytes.IndexByte(p.body[fixedResponse:], 0)
	if end < 0 {
		return "", fmt.Errorf("%w: user name without end", errPacket)
	}
	return string(p.body[fixedResponse : fixedResponse+end]), nil
}

// plain is a handshake response as a server without TLS has to see it, for the user name given. login has accepted it.
func plain(p packet, user string) packet {
	rest := p.body[fixedResponse+bytes.IndexByte(p.body[fixedResponse:], 0):]
	out := make([]byte, 0, fixedResponse+len(user)+len(rest))
	out = binary.LittleEndian.AppendUint32(out, binary.LittleEndian.Uint32(p.body)&^uint32(capSSL))
	out = append(out, p.body[4:fixedResponse]...)
	out = append(append(out, user...), rest...)
	return packet{p.seq, out}
}

// bare is a login without the server's name behind it: Azure's clients write user@server.
func bare(user, server string) string {
	i := strings.LastIndexByte(user, '@')
	if i <= 0 || server == "" || !strings.EqualFold(user[i+1:], server) {
		return user
	}
	return user[:i]
}

// proxyHeader tells the server whose connection it is (PROXY protocol, version 2).
func proxyHeader(client netip.AddrPort) []byte {
	const signature = "\r\n\r\n\x00\r\nQUIT\n"
	addr := client.Addr().Unmap()
	out := append([]byte(signature), 0x21, 0x11)
	to := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if addr.Is6() {
		out[len(out)-1] = 0x21
		to = netip.IPv6Loopback()
	}
	body := append(addr.AsSlice(), to.AsSlice()...)
	body = binary.BigEndian.AppendUint16(body, client.Port())
	body = binary.BigEndian.AppendUint16(body, 3306)
	return append(binary.BigEndian.AppendUint16(out, uint16(len(body))), body...)
}
