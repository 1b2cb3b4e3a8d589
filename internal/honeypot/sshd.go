package honeypot

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/record"
)

var errRefused = errors.New("permission denied")

// maxChannels is how many channels one connection may have open, as OpenSSH's MaxSessions.
const maxChannels = 10

// ssh talks SSH to one visitor.
func (h *Honeypot) ssh(ctx context.Context, v *visit) {
	version := h.persona.System.SSH
	if _, err := v.conn.Write([]byte(version + "\r\n")); err != nil {
		return
	}
	in := bufio.NewReader(v.conn)
	banner, err := readBanner(in)
	v.hello.banner = banner
	if err != nil {
		v.event(record.Event{Kind: "client", Banner: banner})
		if errors.Is(err, errBanner) {
			_, _ = v.conn.Write([]byte("Invalid SSH identification string.\r\n"))
		}
		return
	}
	c := &quiet{limitedConn: v.conn, again: io.MultiReader(strings.NewReader(banner+"\r\n"), in), skip: len(version) + 2, client: &v.hello}
	c.tell = func() {
		v.event(record.Event{Kind: "client", Banner: banner, HASSH: v.hello.hassh, Offers: v.hello.offers})
	}
	conn, channels, requests, err := ssh.NewServerConn(c, h.serverConfig(v))
	if err != nil {
		return
	}
	defer conn.Close()
	v.conn.until(time.Now().Add(h.cfg.Limits.Session))
	v.mu.Lock()
	v.client = v.hello.hassh
	v.mu.Unlock()
	v.observe(HASSH, v.hello.hassh, "signed in to the honeypot as "+banner)
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { globalRequests(v, requests) })
	open := make(chan struct{}, maxChannels)
	for ch := range channels {
		select {
		case open <- struct{}{}:
		default:
			_ = ch.Reject(ssh.ResourceShortage, "open failed")
			continue
		}
		running.Go(func() {
			defer func() { <-open }()
			defer func() {
				if r := recover(); r != nil {
					h.cfg.Log.Error("honeypot channel failed", "session", v.id, "error", fmt.Sprint(r))
				}
			}()
			h.channel(ctx, v, ch)
		})
	}
}

// serverConfig offers what OpenSSH offers, in its order, as far as x/crypto/ssh has it.
func (h *Honeypot) serverConfig(v *visit) *ssh.ServerConfig {
	fail := func() error {
		if h.cfg.FailDelay > 0 {
			time.Sleep(h.cfg.FailDelay)
		}
		return errRefused
	}
	c := &ssh.ServerConfig{
		MaxAuthTries: h.cfg.Limits.Tries, ServerVersion: h.persona.System.SSH,
		PasswordCallback: func(m ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if v.login(m.User(), string(password)) {
				return &ssh.Permissions{}, nil
			}
			return nil, fail()
		},
		PublicKeyCallback: func(m ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			v.event(record.Event{Kind: "key", User: m.User(), Key: key.Type() + " " + ssh.FingerprintSHA256(key)})
			return nil, errRefused
		},
	}
	c.KeyExchanges = []string{
		"curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521", "diffie-hellman-group16-sha512", "diffie-hellman-group14-sha256",
	}
	c.Ciphers = []string{"chacha20-poly1305@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com"}
	c.MACs = []string{"hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512", "hmac-sha1"}
	for _, k := range h.keys {
		c.AddHostKey(k)
	}
	return c
}

// globalRequests refuses them, and records who wants to be listened for.
func globalRequests(v *visit, requests <-chan *ssh.Request) {
	for r := range requests {
		if r.Type == "tcpip-forward" {
			var f struct {
				Addr string
				Port uint32
			}
			if ssh.Unmarshal(r.Payload, &f) == nil {
				v.event(record.Event{Kind: "forward", How: "remote", Target: f.Addr + ":" + strconv.Itoa(int(f.Port))})
			}
		}
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
	}
}

func (h *Honeypot) channel(ctx context.Context, v *visit, ch ssh.NewChannel) {
	switch ch.ChannelType() {
	case "session":
		c, requests, err := ch.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		s := &session{v: v, ch: c, columns: 80, rows: 24}
		s.serve(ctx, requests)
	case "direct-tcpip":
		h.forward(v, ch)
	default:
		_ = ch.Reject(ssh.UnknownChannelType, "unknown channel type")
	}
}

// forward records where somebody wants to go through here. Nobody gets anywhere.
func (h *Honeypot) forward(v *visit, ch ssh.NewChannel) {
	var f struct {
		Addr       string
		Port       uint32
		Origin     string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(ch.ExtraData(), &f); err != nil {
		_ = ch.Reject(ssh.ConnectionFailed, "open failed")
		return
	}
	target := f.Addr + ":" + strconv.Itoa(int(f.Port))
	if h.cfg.Forwards != "canned" {
		v.event(record.Event{Kind: "forward", How: "direct", Target: target})
		_ = ch.Reject(ssh.ConnectionFailed, "Connection refused")
		return
	}
	c, requests, err := ch.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	go ssh.DiscardRequests(requests) // ends with the channel
	first := make([]byte, 2048)
	n, _ := io.ReadAtLeast(c, first, 1)
	v.event(record.Event{Kind: "forward", How: "direct", Target: target, Text: string(first[:n]), Size: n})
}
