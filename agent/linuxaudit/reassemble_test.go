package linuxaudit

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/agent/replay"
)

// told is what an event says, copied so that it outlives the handler.
type told struct {
	Node, Comm, Exe, Cwd, Title, Key string
	Serial                           uint64
	Millis                           int64
	Whole                            bool
	PID, PPID, AUID, UID, Session    uint32
	Number                           uint32
	Success                          bool
	Exit                             int64
	Args, Paths                      []string
	Missing                          int
	Peer                             string
	User                             string
	Records                          []string
}

func tell(e *Event) told {
	t := told{
		Node: string(e.Node), Serial: e.Serial, Millis: e.Millis, Whole: e.Whole, Comm: string(e.Call.Comm), Exe: string(e.Call.Exe), Cwd: string(e.Cwd),
		Title: strings.ReplaceAll(string(e.Title), "\x00", " "), Key: string(e.Call.Key), PID: e.Call.PID, PPID: e.Call.ParentPID, AUID: e.Call.AUID,
		UID: e.Call.UID, Session: e.Call.Session, Number: e.Call.Number, Success: e.Call.Success, Exit: e.Call.Exit, Missing: e.Exec.Missing,
	}
	for _, a := range e.Exec.Args {
		t.Args = append(t.Args, string(a))
	}
	for _, p := range e.Paths {
		t.Paths = append(t.Paths, string(p.Name))
	}
	if e.HasPeer {
		t.Peer = e.Peer.Addr.String()
		if e.Peer.Family == FamilyUnix {
			t.Peer = "unix:" + string(e.Peer.Path)
		}
	}
	if e.HasUser {
		u := &e.User
		t.User = fmt.Sprintf("%s op=%s acct=%s addr=%v terminal=%s cmd=%s id=%s pid=%d auid=%d ok=%v", u.Type, u.Op, u.Account, u.Addr, u.Terminal, u.Command, u.ID, u.PID, u.AUID, u.Success)
	}
	for i := range e.Len() {
		r := e.Record(i)
		t.Records = append(t.Records, r.Type.String())
	}
	return t
}

// events reassembles a text.
func events(text string) (all []told, s Stats) {
	r := NewReassembler(func(e *Event) { all = append(all, tell(e)) })
	for line := range strings.Lines(text) {
		r.Line([]byte(line))
	}
	r.Flush()
	return all, r.Stats()
}

func one(t *testing.T, text string) told {
	t.Helper()
	all, s := events(text)
	if len(all) != 1 || s.Malformed != 0 {
		t.Fatalf("%d events of %+v, want one", len(all), s)
	}
	return all[0]
}

const grep = `node=web1 type=SYSCALL msg=audit(1492037291.036:59): arch=c000003e syscall=59 success=yes exit=0 a0=1522170 a1=1506120 a2=14faeb0 a3=7ffcc4582df0 items=2 ppid=12041 pid=13393 auid=1000 uid=0 gid=1001 euid=1000 suid=1000 fsuid=1000 egid=1001 sgid=1001 fsgid=1001 tty=pts0 ses=2 comm="grep" exe="/usr/bin/grep" subj=unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023 key="exec"` + "\x1d" + `ARCH=x86_64 SYSCALL=execve UID="root"
node=web1 type=EXECVE msg=audit(1492037291.036:59): argc=3 a0="grep" a1="--color=auto" a2=6D6F64656C206E616D65
node=web1 type=CWD msg=audit(1492037291.036:59):  cwd="/srv/andrew"
node=web1 type=PATH msg=audit(1492037291.036:59): item=0 name="/usr/bin/grep" inode=2512 dev=08:01 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL
node=web1 type=PATH msg=audit(1492037291.036:59): item=1 name=(null) inode=19161168 dev=08:01 mode=0100755 ouid=0 ogid=0 rdev=00:00 objtype=NORMAL
node=web1 type=PROCTITLE msg=audit(1492037291.036:59): proctitle=67726570002D2D636F6C6F723D6175746F006D6F64656C206E616D65
node=web1 type=EOE msg=audit(1492037291.036:59):
`

func TestEvent(t *testing.T) {
	t.Parallel()
	got := one(t, grep)
	want := told{
		Node: "web1", Serial: 59, Millis: 1492037291036, Whole: true, Comm: "grep", Exe: "/usr/bin/grep", Cwd: "/srv/andrew", Key: "exec",
		PID: 13393, PPID: 12041, AUID: 1000, UID: 0, Session: 2, Number: 59, Success: true,
		Args: []string{"grep", "--color=auto", "model name"}, Paths: []string{"/usr/bin/grep", ""},
		Records: []string{"SYSCALL", "EXECVE", "CWD", "PATH", "PATH", "PROCTITLE"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestEvent_Title: the title is read where the command line isn't there.
func TestEvent_Title(t *testing.T) {
	t.Parallel()
	text := regexp.MustCompile("(?m)^.*type=EXECVE.*\n").ReplaceAllString(grep, "")
	if got := one(t, text); got.Title != "grep --color=auto model name" || got.Args != nil {
		t.Errorf("title %q, arguments %q", got.Title, got.Args)
	}
}

func TestEvent_Ends(t *testing.T) {
	t.Parallel()
	old := func(serial int, second string) string {
		return fmt.Sprintf("type=SYSCALL msg=audit(%s:%d): syscall=59 success=yes pid=%d comm=\"a\"\ntype=CWD msg=audit(%s:%d): cwd=\"/\"\n", second, serial, serial, second, serial)
	}
	for name, c := range map[string]struct {
		text  string
		flush bool
		want  int
		whole int
	}{
		"an end mark":                       {"type=SYSCALL msg=audit(10.000:1): pid=1\ntype=EOE msg=audit(10.000:1): \n", false, 1, 1},
		"the title is the last of a file":   {"type=SYSCALL msg=audit(10.000:1): pid=1\ntype=PROCTITLE msg=audit(10.000:1): proctitle=\"a\"\n", false, 1, 1},
		"an end mark after the title":       {"type=PROCTITLE msg=audit(10.000:1): proctitle=\"a\"\ntype=EOE msg=audit(10.000:1): \n", true, 1, 1},
		"an end mark alone":                 {"type=EOE msg=audit(10.000:1): \n", true, 0, 0},
		"no end before a pause":             {old(1, "10.000"), false, 0, 0},
		"no end, at the source's end":       {old(1, "10.000"), true, 1, 0},
		"no end, a little later":            {old(1, "10.000") + old(2, "11.900"), false, 0, 0},
		"no end, two seconds later":         {old(1, "10.000") + old(2, "12.000") + old(3, "12.001"), false, 1, 0},
		"a message from user space is one":  {"type=USER_LOGIN msg=audit(10.000:1): pid=1 uid=0 msg='op=login res=success'\n", false, 1, 1},
		"a daemon's own is one":             {"type=DAEMON_START msg=audit(10.000:1): op=start ver=3.0\n", false, 1, 1},
		"same serial, another time":         {old(1, "10.000") + old(1, "10.001"), true, 2, 0},
		"same serial and time, other nodes": {"node=a " + strings.SplitN(old(1, "10.000"), "\n", 2)[0] + "\nnode=b " + strings.SplitN(old(1, "10.000"), "\n", 2)[0], true, 2, 0},
	} {
		var n, whole int
		r := NewReassembler(func(e *Event) {
			n++
			if e.Whole {
				whole++
			}
		})
		for line := range strings.Lines(c.text) {
			r.Line([]byte(line))
		}
		if c.flush {
			r.Flush()
		}
		if n != c.want || whole != c.whole {
			t.Errorf("%s: %d events, %d of them whole; want %d, %d", name, n, whole, c.want, c.whole)
		}
	}
}

// TestEvent_Expires: before a pause no later event ends the last one; the source's clock does.
func TestEvent_Expires(t *testing.T) {
	t.Parallel()
	n := 0
	r := NewReassembler(func(*Event) { n++ })
	r.Line([]byte("type=SYSCALL msg=audit(10.000:1): pid=1"))
	if r.Expire(9_999); n != 0 {
		t.Fatal("ended too early")
	}
	if r.Expire(10_000); n != 1 {
		t.Fatal("did not end")
	}
}

func execText(serial int, records []string) string {
	b := &strings.Builder{}
	for _, r := range records {
		fmt.Fprintf(b, "type=EXECVE msg=audit(10.000:%d): %s\n", serial, r)
	}
	return b.String()
}

// TestExec_Whole: however long a command line is, all of it is there: padding it past what fits into a record hides nothing.
func TestExec_Whole(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 9000)
	spaced := strings.Repeat("pad ding\"ü\t", 2000)
	many := []string{"./ssh2"}
	for i := range 2500 {
		many = append(many, fmt.Sprint(i))
	}
	for name, args := range map[string][]string{
		"short":                  {"ls", "-l"},
		"an empty argument":      {"a", "", "b"},
		"looks like hexadecimal": {"CAFE", "61"},
		"one long":               {"a", long, "b"},
		"one long, encoded":      {"a", spaced, "b"},
		"many":                   many,
		"many and long":          slices.Concat(many, []string{long, spaced, long}, many, []string{"uname -a & lscpu"}),
		"control characters":     {"a\x00b"[:1], "\x1d\n\r", "\xff\xfe"},
	} {
		for _, room := range []int{120, 7500} {
			got := one(t, execText(1, replay.ExecRecords(args, room)))
			if d := cmp.Diff(args, got.Args); d != "" || got.Missing != 0 {
				t.Errorf("%s in records of %d: %d missing\n%.2000s", name, room, got.Missing, d)
			}
		}
	}
}

// TestExec_Missing: what did not come is counted, and hides nothing of what did.
func TestExec_Missing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		records []string
		want    []string
		missing int
	}{
		{"a record of arguments", []string{`argc=4 a0="a"`, `a3="d"`}, []string{"a", "", "", "d"}, 2},
		{"the last record", []string{`argc=3 a0="a" a1="b"`}, []string{"a", "b"}, 1},
		{"a piece", []string{`argc=1 a0_len=9 a0[0]="abc"`, `a0[2]="ghi"`}, []string{"abc"}, 1},
		{"the first piece", []string{`argc=1 a0_len=6`, `a0[1]="def"`}, []string{"def"}, 1},
		{"the last piece", []string{`argc=1 a0_len=9 a0[0]="abc"`, `a0[1]="def"`}, []string{"abcdef"}, 1},
		{"the first record", []string{`a1="b"`}, []string{"", "b"}, 1},
		{"pieces apart", []string{`argc=2 a0_len=4 a0[0]="ab" a1="x" a0[1]="cd"`}, []string{"ab", "x"}, 1},
		{"odd digits are text", []string{`argc=1 a0=ABC`}, []string{"ABC"}, 0},
		{"nonsense", []string{`argc=2 a="x" a0x="y" a99999999999999999999="z" a1[="w" a0="q" a1=`}, []string{"q", ""}, 0},
	} {
		got := one(t, execText(1, c.records))
		if d := cmp.Diff(c.want, got.Args); d != "" || got.Missing != c.missing {
			t.Errorf("%s: %d missing, want %d\n%s", c.name, got.Missing, c.missing, d)
		}
	}
}

// TestInterleaved: records of many events in any order that keeps each event's own, from two machines, give the events of the orderly text.
func TestInterleaved(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var texts []string
		for i := range 30 {
			args := []string{"cmd", strings.Repeat("a b", rnd.IntN(60)+1), fmt.Sprint(i)}
			b := &strings.Builder{}
			stamp := fmt.Sprintf("audit(10.%03d:%d)", rnd.IntN(1000), 100+i)
			node := []string{"", "node=a ", "node=b "}[rnd.IntN(3)]
			fmt.Fprintf(b, "%stype=SYSCALL msg=%s: syscall=59 pid=%d comm=\"cmd\"\n", node, stamp, i)
			for _, r := range replay.ExecRecords(args, 150) {
				fmt.Fprintf(b, "%stype=EXECVE msg=%s: %s\n", node, stamp, r)
			}
			fmt.Fprintf(b, "%stype=PROCTITLE msg=%s: proctitle=\"cmd\"\n", node, stamp)
			texts = append(texts, b.String())
		}
		want, _ := events(strings.Join(texts, ""))
		mixed, _ := events(interleave(rnd, texts))
		slices.SortFunc(mixed, func(a, b told) int { return int(a.Serial) - int(b.Serial) })
		if d := cmp.Diff(want, mixed); d != "" {
			t.Fatalf("seed %d: %s", seed, d)
		}
	}
}

func interleave(rnd *rand.Rand, texts []string) string {
	var queues [][]string
	for _, t := range texts {
		queues = append(queues, slices.Collect(strings.Lines(t)))
	}
	b := &strings.Builder{}
	for len(queues) > 0 {
		i := rnd.IntN(len(queues))
		b.WriteString(queues[i][0])
		if queues[i] = queues[i][1:]; len(queues[i]) == 0 {
			queues = slices.Delete(queues, i, i+1)
		}
	}
	return b.String()
}

func TestSerials(t *testing.T) {
	t.Parallel()
	line := func(serials ...int) string {
		b := &strings.Builder{}
		for _, s := range serials {
			fmt.Fprintf(b, "type=USER_LOGIN msg=audit(10.000:%d): pid=1 msg='res=failed'\n", s)
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		text string
		want uint64
	}{
		"all there":     {line(5, 6, 7), 0},
		"out of order":  {line(5, 7, 6, 8), 0},
		"one lost":      {line(5, 7, 8), 1},
		"many lost":     {line(5, 5005), 4999},
		"another boot":  {line(900000, 1, 2), 0},
		"a lost record": {line(5) + "type=SYSCALL msg=audit(10.000:6): pid=1\n" + line(8), 1},
	} {
		if _, s := events(c.text); s.Missing != c.want {
			t.Errorf("%s: %d missing, want %d", name, s.Missing, c.want)
		}
	}
}

func TestPeer(t *testing.T) {
	t.Parallel()
	for saddr, want := range map[string]string{
		"020000097F000001A00EAC00":                                 "127.0.0.1:9",
		"0A000016000000000000000000000000000000000000000100000000": "[::1]:22",
		"01007075626C69632F7069636B757000000000":                   "unix:public/pickup",
		"0100002F746D702F2E5831312D756E69782F5830":                 "unix:\x00/tmp/.X11-unix/X0",
		"0200":     "invalid AddrPort",
		"10000000": "invalid AddrPort",
		"02":       "",
		"zz":       "",
	} {
		got := one(t, "type=SOCKADDR msg=audit(10.000:1): saddr="+saddr+"\n")
		if got.Peer != want {
			t.Errorf("%s: %q, want %q", saddr, got.Peer, want)
		}
	}
}

func TestUserMessage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, want string }{
		{
			`type=USER_LOGIN msg=audit(1481077041.513:402): pid=1298 uid=0 auid=4294967295 ses=4294967295 subj=system_u:system_r:sshd_t:s0-s0:c0.c1023 msg='op=login acct=28756E6B6E6F776E207573657229 exe="/usr/sbin/sshd" hostname=? addr=96.241.146.97 terminal=ssh res=failed'`,
			`USER_LOGIN op=login acct=(unknown user) addr=96.241.146.97 terminal=ssh cmd= id= pid=1298 auid=4294967295 ok=false`,
		},
		{
			`type=USER_CMD msg=audit(1490137971.011:50406): pid=1 uid=1000 auid=1000 ses=1 msg='cwd="/srv/a" cmd=636174202F6574632F736861646F77 terminal=pts/0 res=success'`,
			`USER_CMD op= acct= addr=invalid IP terminal=pts/0 cmd=cat /etc/shadow id= pid=1 auid=1000 ok=true`,
		},
		{
			`type=ADD_USER msg=audit(1481076992.488:389): pid=1264 uid=0 auid=4294967295 ses=4294967295 msg='op=add-user id=1000 exe="/usr/sbin/useradd" hostname=? addr=? terminal=? res=success'`,
			`ADD_USER op=add-user acct= addr=invalid IP terminal= cmd= id=1000 pid=1264 auid=4294967295 ok=true`,
		},
		{ // older: no nesting of its own, words between
			`type=USER_AUTH msg=audit(1170021493.977:293): user pid=13010 uid=0 auid=4294967295 msg='PAM: authentication acct="root" : exe="/usr/sbin/sshd" (hostname=::1, addr=::1, terminal=ssh res=success)'`,
			`USER_AUTH op= acct=root addr=::1 terminal=ssh cmd= id= pid=13010 auid=4294967295 ok=true`,
		},
		{ // a name that a stranger chose does not reach the fields behind it
			`type=USER_LOGIN msg=audit(10.000:1): pid=1 uid=0 auid=4294967295 ses=4294967295 msg='op=login acct=6120616464723D312E322E332E34207265733D73756363657373 addr=5.6.7.8 terminal=ssh res=failed'`,
			`USER_LOGIN op=login acct=a addr=1.2.3.4 res=success addr=5.6.7.8 terminal=ssh cmd= id= pid=1 auid=4294967295 ok=false`,
		},
	} {
		if got := one(t, c.line+"\n").User; got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"x", "node=", "node=a", "type=", "type=SYSCALL", "type=SYSCALL msg=", "type=SYSCALL msg=audit(", "type=SYSCALL msg=audit(1", "type=SYSCALL msg=audit(1.", "type=SYSCALL msg=audit(1.123",
		"type=SYSCALL msg=audit(1.12:3): a=b", "type=SYSCALL msg=audit(1.123:", "type=SYSCALL msg=audit(1.123:4", "type=SYSCALL msg=audit(1.123:4)", "type=SYSCALL msg=audit(1.123:x): a=b",
		"type=NOSUCH msg=audit(1.123:4): a=b", "type=UNKNOWN[0] msg=audit(1.123:4): a=b", "type=UNKNOWN[99999] msg=audit(1.123:4): a=b",
	} {
		all, s := events(line + "\n")
		if len(all) != 0 || s.Malformed != 1 {
			t.Errorf("%q: %d events, %+v; want one malformed line", line, len(all), s)
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	n := 0
	r := NewReassembler(func(e *Event) { n++ })
	for i := range 10_000 {
		r.Line(fmt.Appendf(nil, "type=SYSCALL msg=audit(10.000:%d): pid=1", i))
	}
	if len(r.open) != window || n != 10_000-window {
		t.Errorf("%d open, %d handed out; want %d, %d", len(r.open), n, window, 10_000-window)
	}
	big := append([]byte("type=EXECVE msg=audit(10.000:20000): a0="), bytes.Repeat([]byte("61"), 1<<20)...)
	for range 64 {
		r.Line(big)
	}
	r.Flush()
	if s := r.Stats(); s.Cut == 0 || s.Events != 10_001 {
		t.Errorf("%+v; want an event that was cut", s)
	}
	for _, p := range r.free {
		if cap(p.event.buf) > keep {
			t.Errorf("%d bytes are kept", cap(p.event.buf))
		}
	}
}

// TestSkip: serials told to have come aren't missing, and those around them that didn't come are.
func TestSkip(t *testing.T) {
	line := func(serial int) []byte {
		return fmt.Appendf(nil, "type=USER_LOGIN msg=audit(10.000:%d): pid=1", serial)
	}
	for name, c := range map[string]struct {
		from, to, next uint64
		missing        uint64
	}{
		"next to each other": {11, 20, 21, 0},
		"some before":        {14, 20, 21, 3},
		"some behind":        {11, 20, 26, 5},
		"very many":          {11, 100_000, 100_001, 0},
		"one":                {11, 11, 13, 1},
	} {
		r := NewReassembler(func(*Event) {})
		r.Line(line(10))
		r.Skip(c.from, c.to)
		r.Line(line(int(c.next)))
		r.Settle()
		if got := r.Stats().Missing; got != c.missing {
			t.Errorf("%s: %d missing, want %d", name, got, c.missing)
		}
	}
}
