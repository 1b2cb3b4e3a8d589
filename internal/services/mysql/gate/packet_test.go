package gate

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"testing"
)

// response is a handshake response of protocol 4.1 for the user.
func response(user string, caps uint32) packet {
	b := binary.LittleEndian.AppendUint32(nil, caps)
	b = append(b, make([]byte, fixedResponse-4)...)
	return packet{1, append(append(b, user...), 0, 0)}
}

func TestBare_TakesTheServersNameOff(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ user, server, want string }{
		{"ada@db1", "db1", "ada"}, {"ada@DB1", "db1", "ada"}, {"ada", "db1", "ada"}, {"ada@db2", "db1", "ada@db2"}, {"a@b@db1", "db1", "a@b"}, {"@db1", "db1", "@db1"}, {"ada@", "", "ada@"},
	} {
		if got := bare(tt.user, tt.server); got != tt.want {
			t.Errorf("bare(%q, %q) = %q, want %q", tt.user, tt.server, got, tt.want)
		}
	}
}

func TestPlain_KeepsAllButTheFlagAndTheName(t *testing.T) {
	t.Parallel()
	p := response("ada@db1", capProtocol41|capSSL|1)
	p.body = append(p.body, "rest"...)
	user, err := login(p)
	if err != nil || user != "ada@db1" {
		t.Fatalf("login = %q, %v", user, err)
	}
	q := plain(p, bare(user, "db1"))
	want := response("ada", capProtocol41|1)
	want.body = append(want.body, "rest"...)
	if !bytes.Equal(q.body, want.body) {
		t.Errorf("plain = %x, want %x", q.body, want.body)
	}
}

func TestProxyHeader(t *testing.T) {
	t.Parallel()
	h := proxyHeader(netip.MustParseAddrPort("203.0.113.9:258"))
	want := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x09\x7f\x00\x00\x01\x01\x02\x0c\xea"
	if string(h) != want {
		t.Errorf("header = %q, want %q", h, want)
	}
	if h := proxyHeader(netip.MustParseAddrPort("[::1]:1")); h[13] != 0x21 || len(h) != 16+36 {
		t.Errorf("IPv6 header has family %#x and %d bytes, want 0x21 and 52", h[13], len(h))
	}
}

// FuzzPackets reads whatever clients and servers may send.
func FuzzPackets(f *testing.F) {
	var greeting bytes.Buffer
	_ = packet{0, []byte("\x0a5.5.5-10.11\x00\x05\x00\x00\x0012345678\x00\xfe\xf7\x08\x02\x00\xff\x81")}.writeTo(&greeting)
	f.Add(greeting.Bytes())
	var resp bytes.Buffer
	_ = response("ada@db1", capProtocol41|capSSL).writeTo(&resp)
	f.Add(resp.Bytes())
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{1, 0, 0, 0, 10})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		p, err := readPacket(r)
		if err != nil {
			return
		}
		if len(p.body) == 0 || len(b)-r.Len() != 4+len(p.body) {
			t.Fatalf("read %d bytes for a body of %d", len(b)-r.Len(), len(p.body))
		}
		_, _ = wantsTLS(p)
		_ = errorCode(p)
		before := len(p.body)
		if _ = offerTLS(p); len(p.body) != before {
			t.Fatal("offerTLS changed the length")
		}
		user, err := login(p)
		if err != nil {
			return
		}
		q := plain(p, bare(user, "db1"))
		again, err := login(q)
		if err != nil || again != bare(user, "db1") {
			t.Fatalf("login of what plain made = %q, %v; want %q", again, err, bare(user, "db1"))
		}
		var out bytes.Buffer
		if err := q.writeTo(&out); err != nil {
			t.Fatal(err)
		}
		if r, err := readPacket(&out); err == nil && !bytes.Equal(r.body, q.body) {
			t.Fatal("what was written is not what is read")
		}
	})
}

func TestReadPacket_RefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "\x01", "\x00\x00\x00\x00", "\xff\xff\xff\x00rest", "\x05\x00\x00\x00abc"} {
		if p, err := readPacket(bytes.NewReader([]byte(in))); err == nil {
			t.Errorf("readPacket(%q) = %v, want an error", in, p)
		}
	}
	if _, err := readPacket(bytes.NewReader(nil)); err != io.EOF { //nolint:errorlint // exactly this
		t.Errorf("nothing at all: %v, want EOF", err)
	}
}
