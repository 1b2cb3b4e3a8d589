package gate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Reason is why a connection was refused or failed before it was one.
type Reason string

// The reasons. A connection that sent nothing is a probe and no failure.
const (
	Password Reason = "password" // the server denied the login
	TLS      Reason = "tls"      // not encrypted though it must be, or the handshake failed: mostly a client that doesn't trust the certificate
	Limit    Reason = "limit"    // too many connections
	Host     Reason = "host"     // no firewall rule admits the address, or no account is for it
	Database Reason = "database" // the login was good, the database it asked for wasn't
	Other    Reason = "other"    // not the protocol, or the server didn't answer
)

// Reasons are all of them.
func Reasons() []Reason { return []Reason{Password, TLS, Limit, Host, Database, Other} }

// Error numbers: MySQL's and those of Azure's front.
const (
	codeTooMany     = 1040
	codeHandshake   = 1043
	codeNoDatabase  = 1044
	codeDenied      = 1045
	codeUnknownDB   = 1049
	codeHostBlocked = 1129
	codeHostDenied  = 1130
	codeUserLimit   = 1203
	codeUserMax     = 1226
	codeNoPassword  = 1698
	codeFirewall    = 9000
	codeNotReady    = 9001
	codeTLSRequired = 9002
)

const (
	handshakeTime = 20 * time.Second // for a client to say who it is
	maxRounds     = 16               // of one authentication
)

// Rules are what a server demands of its connections at the moment.
type Rules struct {
	Admits func(netip.Addr) bool // nil: nobody
	TLS    bool                  // only encrypted ones
	Limit  int                   // connections at a time
	Server string                // its name, which may stand behind a user's
	Closed string                // the account that is the platform's own
}

// Config is what a Gate needs.
type Config struct {
	Dial  func(ctx context.Context) (net.Conn, error) // to the server's socket
	TLS   *tls.Config
	Rules func() Rules
	// Failed is told of each connection that failed. Safe for concurrent use.
	Failed func(r Reason, from netip.Addr)
}

// Gate serves the connections of one server.
type Gate struct {
	cfg Config

	mu     sync.Mutex
	open   map[net.Conn]struct{}
	active int
	wg     sync.WaitGroup
}

// New makes a Gate.
func New(cfg Config) *Gate { return &Gate{cfg: cfg, open: map[net.Conn]struct{}{}} }

// Active is how many connections hold a place.
func (g *Gate) Active() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.active
}

// Serve accepts connections until ctx ends; then it closes them and returns once all are gone. It closes the listener.
func (g *Gate) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer g.wg.Wait()
	defer cancel()
	g.wg.Go(func() {
		<-ctx.Done()
		l.Close()
		g.mu.Lock()
		defer g.mu.Unlock()
		for c := range g.open {
			c.Close()
		}
	})
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			var temporary net.Error
			if errors.As(err, &temporary) && temporary.Timeout() {
				continue
			}
			return err
		}
		if !g.keep(ctx, c) {
			continue
		}
		g.wg.Go(func() {
			defer g.forget(c)
			g.connection(ctx, c)
		})
	}
}

// keep notes a connection to be closed with the gate; one that comes too late is closed at once.
func (g *Gate) keep(ctx context.Context, c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if ctx.Err() != nil {
		c.Close()
		return false
	}
	g.open[c] = struct{}{}
	return true
}

func (g *Gate) forget(c net.Conn) {
	c.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, c)
}

// enter takes a place if one is free.
func (g *Gate) enter(limit int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.active >= limit {
		return false
	}
	g.active++
	return true
}

func (g *Gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.active--
}

// failure is why a connection failed, and what the client is told, if anything.
type failure struct {
	reason Reason
	answer *packet
}

func (f *failure) Error() string { return "connection refused: " + string(f.reason) }

func fail(r Reason) error { return &failure{reason: r} }

func refuse(r Reason, p packet) error { return &failure{r, &p} }

// errProbe is a connection that ended without a word: a health probe.
var errProbe = errors.New("probe")

// connection serves one client from its first byte to its last.
func (g *Gate) connection(ctx context.Context, c net.Conn) {
	from, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return
	}
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	rules := g.cfg.Rules()
	err = g.admit(ctx, c, from, rules)
	var f *failure
	if errors.As(err, &f) {
		g.cfg.Failed(f.reason, from.Addr())
		if f.answer != nil {
			_ = f.answer.writeTo(c)
		}
	}
}

// admit checks what can be told without the server, takes a place, and goes on with the server.
func (g *Gate) admit(ctx context.Context, c net.Conn, from netip.AddrPort, rules Rules) error {
	if rules.Admits == nil || !rules.Admits(from.Addr()) {
		return refuse(Host, refusal(0, codeFirewall, "HY000", fmt.Sprintf("Client with IP address '%s' is not allowed to connect to this MySQL server.", from.Addr())))
	}
	if !g.enter(rules.Limit) {
		return refuse(Limit, refusal(0, codeTooMany, "08004", "Too many connections"))
	}
	defer g.leave()
	back, err := g.cfg.Dial(ctx)
	if err != nil {
		return refuse(Other, refusal(0, codeNotReady, "HY000", "The server is starting or has stopped. Try again later."))
	}
	if !g.keep(ctx, back) {
		return nil
	}
	defer g.forget(back)
	deadline := time.Now().Add(handshakeTime)
	_, _ = c.SetDeadline(deadline), back.SetDeadline(deadline)
	front, err := g.handshake(ctx, c, back, from, rules)
	if err != nil {
		var f *failure
		if errors.As(err, &f) && f.answer != nil && front != nil { // inside TLS where there is TLS
			_ = f.answer.writeTo(front)
			f.answer = nil
		}
		return err
	}
	_, _ = c.SetDeadline(time.Time{}), back.SetDeadline(time.Time{})
	splice(front, back)
	return nil
}

// handshake brings client and server to the server's verdict. The connection it returns is the one to go on with, encrypted or not; it may be there beside an error.
func (g *Gate) handshake(ctx context.Context, c, back net.Conn, from netip.AddrPort, rules Rules) (net.Conn, error) {
	if _, err := back.Write(proxyHeader(from)); err != nil {
		return nil, fail(Other)
	}
	greeting, err := readPacket(back)
	if err != nil {
		return nil, fail(Other)
	}
	if greeting.body[0] == headErr {
		return c, refuse(reasonOf(errorCode(greeting)), greeting)
	}
	if err := offerTLS(greeting); err != nil {
		return nil, fail(Other)
	}
	if err := greeting.writeTo(c); err != nil {
		return nil, errProbe
	}
	response, err := readPacket(c)
	if errors.Is(err, io.EOF) || isReset(err) {
		return nil, errProbe
	}
	if err != nil {
		return nil, fail(Other)
	}
	asks, only := wantsTLS(response)
	if !asks && rules.TLS {
		return c, refuse(TLS, refusal(response.seq+1, codeTLSRequired, "HY000", "SSL connection is required. Please specify SSL options and retry."))
	}
	front, shift := c, byte(0)
	if only {
		secured := tls.Server(c, g.cfg.TLS)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, fail(TLS)
		}
		front, shift = secured, 1
		if response, err = readPacket(secured); err != nil { // a client that looked at the certificate only now, and left
			return nil, fail(TLS)
		}
	}
	user, err := login(response)
	if err != nil {
		return front, refuse(Other, refusal(response.seq+1, codeHandshake, "08S01", "Bad handshake"))
	}
	user = bare(user, rules.Server)
	if user == rules.Closed {
		return front, refuse(Password, refusal(response.seq+1, codeDenied, "28000", fmt.Sprintf("Access denied for user '%s'@'%s'", user, from.Addr())))
	}
	return front, authenticate(front, back, plain(response, user), shift)
}

// authenticate passes on what client and server say until the server's verdict. shift is by how many packets TLS made the client's count run ahead.
func authenticate(front, back net.Conn, p packet, shift byte) error {
	for range maxRounds {
		p.seq -= shift
		if err := p.writeTo(back); err != nil {
			return fail(Other)
		}
		verdict, err := readPacket(back)
		if err != nil {
			return fail(Other)
		}
		verdict.seq += shift
		if verdict.body[0] == headErr {
			return refuse(reasonOf(errorCode(verdict)), verdict)
		}
		if err := verdict.writeTo(front); err != nil {
			return fail(Other)
		}
		if verdict.body[0] == headOK {
			return nil
		}
		if p, err = readPacket(front); err != nil {
			return fail(Other)
		}
	}
	return fail(Other)
}

func reasonOf(code uint16) Reason {
	switch code {
	case codeTooMany, codeUserLimit, codeUserMax:
		return Limit
	case codeDenied, codeNoPassword:
		return Password
	case codeHostBlocked, codeHostDenied:
		return Host
	case codeNoDatabase, codeUnknownDB:
		return Database
	}
	return Other
}

// isReset tells whether the other side went away without a goodbye.
func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

// splice copies both ways until the server has ended the connection: only then its place is free.
func splice(front, back net.Conn) {
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(back, front)
		if half, ok := back.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		} else {
			back.Close()
		}
	})
	_, _ = io.Copy(front, back)
	front.Close()
	wg.Wait()
}
