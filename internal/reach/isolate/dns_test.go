package isolate

import (
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/wire"
	"golang.org/x/net/dns/dnsmessage"
)

var testHosts = wire.Hosts{Suffix: "own.test", Port: 8443}

func query(t testing.TB, name string, kind dnsmessage.Type) []byte {
	t.Helper()
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: 7, RecursionDesired: true})
	if err := b.StartQuestions(); err != nil {
		t.Fatal(err)
	}
	if err := b.Question(dnsmessage.Question{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}); err != nil {
		t.Fatal(err)
	}
	out, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestNames_Answer(t *testing.T) {
	for _, tt := range []struct {
		name    string
		kind    dnsmessage.Type
		code    dnsmessage.RCode
		address bool
	}{
		{"kv1.vault.azure.net.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, true},
		{"KV1.Vault.Azure.NET.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, true},
		{"management.azure.com.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, true},
		{"kv1.vault.own.test.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, true},
		{"localhost.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, true},
		{"app.localhost.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, true},
		{"kv1.vault.azure.net.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, false},
		{"kv1.vault.azure.net.", dnsmessage.TypeMX, dnsmessage.RCodeSuccess, false},
		{"example.com.", dnsmessage.TypeA, dnsmessage.RCodeNameError, false},
		{"a.b.vault.azure.net.", dnsmessage.TypeA, dnsmessage.RCodeNameError, false},
		{"evilvault.azure.net.", dnsmessage.TypeA, dnsmessage.RCodeNameError, false},
		{"management.azure.com:443.", dnsmessage.TypeA, dnsmessage.RCodeNameError, false},
		{"1.0.0.127.in-addr.arpa.", dnsmessage.TypePTR, dnsmessage.RCodeNameError, false},
		{".", dnsmessage.TypeNS, dnsmessage.RCodeNameError, false},
	} {
		var m dnsmessage.Message
		if err := m.Unpack(names{testHosts}.answer(query(t, tt.name, tt.kind))); err != nil {
			t.Errorf("%s %s: %v", tt.name, tt.kind, err)
			continue
		}
		if m.ID != 7 || !m.Response || len(m.Questions) != 1 || m.RCode != tt.code || (len(m.Answers) == 1) != tt.address {
			t.Errorf("%s %s = id %d, %s, %d answers; want 7, %s, address %v", tt.name, tt.kind, m.ID, m.RCode, len(m.Answers), tt.code, tt.address)
		}
		if tt.address && m.Answers[0].Body.(*dnsmessage.AResource).A != [4]byte{127, 0, 0, 1} {
			t.Errorf("%s is %v", tt.name, m.Answers[0].Body)
		}
	}
}

func TestNames_NotAQuery(t *testing.T) {
	good := query(t, "example.com.", dnsmessage.TypeA)
	response := append([]byte(nil), good...)
	response[2] |= 0x80
	for name, in := range map[string][]byte{"empty": nil, "short": good[:7], "response": response} {
		if out := (names{testHosts}).answer(in); out != nil {
			t.Errorf("%s was answered: %x", name, out)
		}
	}
	for name, tt := range map[string]struct {
		change func([]byte)
		code   dnsmessage.RCode
	}{
		"two questions": {func(b []byte) { b[5] = 2 }, dnsmessage.RCodeFormatError},
		"no question":   {func(b []byte) { b[5] = 0 }, dnsmessage.RCodeFormatError},
		"status opcode": {func(b []byte) { b[2] |= 2 << 3 }, dnsmessage.RCodeNotImplemented},
	} {
		in := append([]byte(nil), good...)
		tt.change(in)
		var m dnsmessage.Message
		if err := m.Unpack(names{testHosts}.answer(in)); err != nil || m.RCode != tt.code {
			t.Errorf("%s = %v, %v; want %v", name, m.RCode, err, tt.code)
		}
	}
}

// Whatever comes is answered with a well-formed response to it or not at all.
func FuzzNames_Answer(f *testing.F) {
	for _, n := range []string{"kv1.vault.azure.net.", "example.com.", ".", "a.own.test."} {
		f.Add(query(f, n, dnsmessage.TypeA))
		f.Add(query(f, n, dnsmessage.TypeAAAA))
	}
	f.Add([]byte("\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, in []byte) {
		out := names{testHosts}.answer(in)
		if out == nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(out); err != nil {
			t.Fatalf("%x was answered with %x: %v", in, out, err)
		}
		if !m.Response || out[0] != in[0] || out[1] != in[1] || len(m.Answers) > 1 {
			t.Fatalf("%x was answered with %v", in, m)
		}
	})
}
