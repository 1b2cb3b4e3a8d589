package detect

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// attackers is an Intel that knows one file, one account and one address.
type attackers struct{ hash, account, addr string }

func (attackers) Domain(string) bool         { return false }
func (a attackers) Addr(text string) bool    { return text == a.addr }
func (a attackers) SHA256(hash string) bool  { return hash == a.hash }
func (a attackers) Account(name string) bool { return name == a.account }

func TestKnownFile(t *testing.T) {
	t.Parallel()
	sum := bytes.Repeat([]byte{0xab}, 32)
	var found []*Finding
	m := New(DefaultParams(), attackers{hash: hex.EncodeToString(sum)}, func(f *Finding) { found = append(found, f) })
	run := func(pid uint32, hash []byte, file string, args ...string) {
		e := &activity.Event{Kind: activity.Exec, Success: true, Call: "execve", Millis: 1000 + int64(pid)}
		e.Process.PID, e.Process.Parent, e.Process.Session = pid, 50, 3
		e.Command = activity.Command{File: []byte(file), Line: []byte(file), Dir: []byte("/srv"), SHA256: hash}
		for _, a := range args {
			e.Command.Args = append(e.Command.Args, []byte(a))
		}
		m.Apply(e)
	}
	run(100, bytes.Repeat([]byte{1}, 32), "/srv/tool", "tool")
	run(101, sum[:31], "/srv/tool", "tool")
	run(102, nil, "/srv/tool", "tool")
	if len(found) != 0 {
		t.Fatalf("%+v", found[0])
	}
	run(103, sum, "/srv/tool", "tool")
	run(104, sum, "/usr/bin/bash", "bash", "job.sh")
	if len(found) != 2 || found[0].Alert != &knownFile || found[0].Files[0] != "/srv/tool" || found[1].Files[0] != "/srv/job.sh" {
		for _, f := range found {
			t.Errorf("%s: %s %v", f.Alert.Type, f.Why, f.Files)
		}
		t.Fatalf("%d findings", len(found))
	}
}

// TestKnownSource: addresses of attackers, and accounts that they try. A key, a network of one's own and habit say that it is the account's owner.
func TestKnownSource(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, account, addr, method string
		times                       int
		want                        map[string]int
	}{
		{"an attacker's address", "alice", "198.51.100.66", "publickey", 1, map[string]int{threatLogon.Type: 1}},
		{"an account that is tried", "Support", "203.0.113.5", "password", 1, map[string]int{triedAccount.Type: 1}},
		{"every day", "support", "203.0.113.5", "password", 6, map[string]int{triedAccount.Type: 2}},
		{"by a key", "support", "203.0.113.5", "publickey", 1, nil},
		{"from inside", "support", "10.1.2.3", "password", 1, nil},
		{"another account", "alice", "203.0.113.5", "password", 1, nil},
	} {
		got := map[string]int{}
		m := New(DefaultParams(), attackers{account: "support", addr: "198.51.100.66"}, func(f *Finding) {
			if f.Alert == &threatLogon || f.Alert == &triedAccount {
				got[f.Alert.Type]++
			}
		})
		for i := range c.times {
			m.Apply(&activity.Event{
				Kind: activity.SignIn, Success: true, Millis: 1_700_000_000_000 + int64(i)*86_400_000, Message: []byte("x"),
				SignIn: activity.Access{Account: []byte(c.account), Addr: netip.MustParseAddr(c.addr), Method: []byte(c.method)},
			})
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		for k, n := range c.want {
			if got[k] != n {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		}
	}
}
