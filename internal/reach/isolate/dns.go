package isolate

import (
	"errors"
	"net"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/wire"
	"golang.org/x/net/dns/dnsmessage"
)

const dnsTTL = 5 // seconds

// names answers DNS queries: a served name and localhost are 127.0.0.1, no other name exists.
type names struct{ hosts wire.Hosts }

// serve answers on c until it is closed.
func (n names) serve(c net.PacketConn) {
	buf := make([]byte, 4096)
	for {
		size, from, err := c.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if out := n.answer(buf[:size]); out != nil {
			_, _ = c.WriteTo(out, from)
		}
	}
}

// answer is the message that answers query, nil for what is not a query at all. Foreign bytes never panic.
func (n names) answer(query []byte) []byte {
	var p dnsmessage.Parser
	h, err := p.Start(query)
	if err != nil || h.Response {
		return nil
	}
	head := dnsmessage.Header{ID: h.ID, Response: true, OpCode: h.OpCode, RecursionDesired: h.RecursionDesired, RecursionAvailable: true}
	if h.OpCode != 0 {
		head.RCode = dnsmessage.RCodeNotImplemented
		return build(head, nil, false)
	}
	q, err := p.Question()
	_, more := p.Question()
	if err != nil || !errors.Is(more, dnsmessage.ErrSectionDone) { // malformed, or not exactly one question
		head.RCode = dnsmessage.RCodeFormatError
		return build(head, nil, false)
	}
	switch {
	case q.Class != dnsmessage.ClassINET || !n.known(q.Name.String()):
		head.RCode = dnsmessage.RCodeNameError
		return build(head, &q, false)
	default:
		// Only IPv4 is listened on: any other type has no records, but the name exists.
		head.Authoritative = true
		return build(head, &q, q.Type == dnsmessage.TypeA)
	}
}

func (n names) known(name string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if strings.Contains(name, ":") {
		return false
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") { // RFC 6761
		return true
	}
	_, ok := n.hosts.Resolve(name)
	return ok
}

func build(h dnsmessage.Header, q *dnsmessage.Question, address bool) []byte {
	b := dnsmessage.NewBuilder(nil, h)
	b.EnableCompression()
	if q == nil {
		out, _ := b.Finish()
		return out
	}
	err := errors.Join(b.StartQuestions(), b.Question(*q))
	if address {
		err = errors.Join(err, b.StartAnswers(), b.AResource(
			dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: dnsTTL},
			dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
		))
	}
	out, end := b.Finish()
	if errors.Join(err, end) != nil {
		return nil
	}
	return out
}
