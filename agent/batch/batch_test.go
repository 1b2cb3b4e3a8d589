package batch

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/agent/replay"
)

// netips are compared by value: they have no exported fields.
var byValue = cmp.Options{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })}

func random(r *rand.Rand) *Batch {
	text := func() []byte {
		switch r.IntN(4) {
		case 0:
			return nil
		case 1:
			return []byte{}
		}
		b := make([]byte, r.IntN(40))
		for i := range b {
			b[i] = byte(r.UintN(256))
		}
		return b
	}
	addr := func() netip.Addr {
		switch r.IntN(4) {
		case 0:
			return netip.Addr{}
		case 1:
			return netip.AddrFrom16([16]byte{0xfe, 0x80, 15: byte(r.UintN(256))}).WithZone("eth0")
		case 2:
			return netip.AddrFrom16([16]byte{0x20, 1, 15: byte(r.UintN(256))})
		}
		return netip.AddrFrom4([4]byte{byte(r.UintN(256)), 2, 3, 4})
	}
	u := func() uint32 {
		return [...]uint32{0, 1, linuxaudit.Unset, r.Uint32()}[r.IntN(4)]
	}
	flag := func() bool { return r.IntN(2) == 0 }
	b := &Batch{}
	for range r.IntN(20) {
		e := activity.Event{
			Kind: activity.Kind(r.UintN(256)), Node: text(), Millis: int64(r.Uint64()), Success: flag(), Call: string(text()), Mode: u(), Op: text(), Subject: text(), Began: flag(), Lost: r.Uint64N(3), Message: text(), Key: text(),
			Process: activity.Process{PID: u(), Parent: u(), AUID: u(), UID: u(), EUID: u(), GID: u(), Session: u(), TTY: text(), Comm: text(), Image: text()},
			Command: activity.Command{Line: text(), Dir: text(), File: text(), Missing: int(r.Int32()) - 1<<30, Packed: text()},
			Remote:  activity.Remote{Addr: netip.AddrPortFrom(addr(), uint16(r.Uint32())), Path: text()},
			SignIn:  activity.Access{Account: text(), Addr: addr(), Host: text(), Method: text(), Terminal: text(), Unknown: flag(), Count: r.IntN(1000)},
		}
		for range r.IntN(4) {
			e.Command.Args = append(e.Command.Args, text())
		}
		if flag() && e.Command.Args != nil {
			e.Command.Line = bytes.Join(e.Command.Args, []byte{' '})
		}
		for range r.IntN(3) {
			e.Files = append(e.Files, activity.File{Name: text(), Mode: u(), Owner: u(), Inode: r.Uint64(), New: flag()})
		}
		b.Events = append(b.Events, e)
	}
	if flag() {
		b.Counters = Counters{Lost: r.Uint64(), Missing: 1, Malformed: 2, Cut: r.Uint64(), Dropped: [Priorities]uint64{1, 2, 3, r.Uint64()}}
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	var enc Builder
	for seed := range uint64(2000) {
		want := random(rand.New(rand.NewPCG(seed, 1)))
		packed, err := enc.Encode(want)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		got, err := Decode(packed)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !reflect.DeepEqual(want, got) { // cmp takes long
			t.Fatalf("seed %d: %s", seed, cmp.Diff(want, got, byValue))
		}
	}
}

// recorded are the events of a known intrusion, with what they are made of in records.
func recorded(t *testing.T) (events []activity.Event, size int) {
	t.Helper()
	log := &replay.Log{Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	replay.Intrusion(log, replay.Disguise{})
	var n activity.Normalizer
	var enc Builder
	r := linuxaudit.NewReassembler(func(e *linuxaudit.Event) {
		// An event is valid only in here: pack it alone and unpack it.
		packed, err := enc.Encode(&Batch{Events: []activity.Event{*n.Audit(e)}})
		if err != nil {
			t.Fatal(err)
		}
		one, err := Decode(packed)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, one.Events...)
	})
	for line := range strings.Lines(log.Audit()) {
		r.Line([]byte(line))
	}
	r.Flush()
	return events, len(log.Audit())
}

func TestRecorded_Compact(t *testing.T) {
	t.Parallel()
	events, size := recorded(t)
	if len(events) < 40 {
		t.Fatalf("%d events of the intrusion, want at least 40", len(events))
	}
	packed, err := Encode(&Batch{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	if len(packed)*12 > size {
		t.Errorf("%d events take %d bytes packed, of %d bytes of records: more than a twelfth", len(events), len(packed), size)
	}
	got, err := Decode(packed)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(events, got.Events, byValue); d != "" {
		t.Error(d)
	}
}

func TestEncode_LeavesSource(t *testing.T) {
	t.Parallel()
	e := activity.Event{Kind: activity.Exec, Source: &linuxaudit.Event{Serial: 7}, Command: activity.Command{Args: [][]byte{[]byte("id")}}}
	packed, err := Encode(&Batch{Events: []activity.Event{e}})
	if err != nil {
		t.Fatal(err)
	}
	if e.Source == nil || len(e.Command.Args) != 1 {
		t.Error("encoding changed the event")
	}
	got, err := Decode(packed)
	if err != nil {
		t.Fatal(err)
	}
	if got.Events[0].Source != nil || string(got.Events[0].Command.Args[0]) != "id" {
		t.Errorf("got %+v", got.Events[0])
	}
}

func pack(t testing.TB, body []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(window))
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(body, []byte("BHB\x01"))
}

// A batch of version 1, as a store may still have it, is read; its events have no Key.
func TestDecode_Version1(t *testing.T) {
	t.Parallel()
	c := coder{writing: true, items: MaxItems, old: true}
	c.counters(&Counters{Lost: 3})
	c.count(2, smallest)
	for _, subject := range []string{"a", "b"} {
		c.event(&activity.Event{Kind: activity.Account, Subject: []byte(subject), Message: []byte("m"), Key: []byte("not written")})
	}
	b, err := Decode(pack(t, c.buf))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Events) != 2 || b.Counters.Lost != 3 || string(b.Events[1].Subject) != "b" || string(b.Events[1].Message) != "m" || b.Events[0].Key != nil {
		t.Errorf("got %+v", b)
	}
}

func TestDecode_Bounds(t *testing.T) {
	t.Parallel()
	events := func(n int) []byte { return append(make([]byte, 8), byte(n)|0x80, byte(n>>7)|0x80, byte(n>>14)) }
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"nothing":          {nil, ErrMalformed},
		"something else":   {[]byte("PK\x03\x04 and more"), ErrMalformed},
		"a newer version":  {[]byte("BHB\x03"), ErrVersion},
		"no frame":         {[]byte("BHB\x01not zstd"), ErrMalformed},
		"too long":         {append([]byte("BHB\x01"), make([]byte, MaxPacked)...), ErrTooLarge},
		"a bomb":           {pack(t, make([]byte, MaxBody+1)), ErrTooLarge},
		"cut":              {pack(t, make([]byte, 5)), ErrMalformed},
		"more than stated": {pack(t, make([]byte, 10)), ErrMalformed},
		"no events follow": {pack(t, events(100)), ErrMalformed},
		"too many events":  {pack(t, append(events(MaxEvents+1), make([]byte, smallest*(MaxEvents+1))...)), ErrTooLarge},
	} {
		if _, err := Decode(c.in); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	many := &Batch{Events: []activity.Event{{Command: activity.Command{Args: make([][]byte, MaxItems+1)}}}}
	if _, err := Encode(many); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too many arguments: got %v", err)
	}
	full := &Batch{Events: make([]activity.Event, MaxEvents)}
	packed, err := Encode(full)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Decode(packed); err != nil || len(got.Events) != MaxEvents {
		t.Errorf("as many empty events as may be: %v", err)
	}
}

func TestPriority(t *testing.T) {
	t.Parallel()
	for kind, want := range map[activity.Kind]int{activity.SignIn: 0, activity.Audit: 0, activity.Exec: 1, activity.Connect: 2, activity.Delete: 2, activity.Other: 3, 200: 2} {
		if got := Priority(&activity.Event{Kind: kind}); got != want {
			t.Errorf("%s: priority %d, want %d", kind, got, want)
		}
	}
}

// FuzzDecode: whatever comes, it ends in a batch that packs and unpacks to the same, or in an error, and takes no more memory than the bounds allow.
func FuzzDecode(f *testing.F) {
	for seed := range uint64(8) {
		packed, err := Encode(random(rand.New(rand.NewPCG(seed, 2))))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	var enc Builder
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Decode(b)
		if err != nil {
			return
		}
		if _, err := enc.Encode(got); err != nil && !errors.Is(err, ErrTooLarge) {
			t.Fatal(err)
		}
	})
}

// FuzzBody is FuzzDecode for what is inside of the frame, which a fuzzer would hardly reach through the compression.
func FuzzBody(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(body(f, random(rand.New(rand.NewPCG(seed, 3)))))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, got := coder{buf: b, items: MaxItems}, &Batch{}
		if r.read(got); r.err != nil {
			return
		}
		again, twice := coder{buf: body(t, got), items: MaxItems}, &Batch{}
		if again.read(twice); again.err != nil || len(again.buf) > 0 {
			t.Fatal(again.err, len(again.buf))
		}
		if !reflect.DeepEqual(got, twice) {
			t.Error(cmp.Diff(got, twice, byValue))
		}
	})
}

// body is a batch before it is compressed.
func body(t testing.TB, all *Batch) []byte {
	t.Helper()
	var b Builder
	for i := range all.Events {
		if err := b.Add(&all.Events[i]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Pack(all.Counters); err != nil {
		t.Fatal(err)
	}
	return b.whole
}

func TestBuilder_Refuses(t *testing.T) {
	t.Parallel()
	var b Builder
	small := &activity.Event{Kind: activity.Exec, Command: activity.Command{Line: []byte("id")}}
	if err := b.Add(small); err != nil {
		t.Fatal(err)
	}
	size := b.Size()
	for name, e := range map[string]*activity.Event{
		"bytes": {Command: activity.Command{Line: make([]byte, MaxBody)}}, "arguments": {Command: activity.Command{Args: make([][]byte, MaxItems+1)}},
	} {
		if err := b.Add(e); !errors.Is(err, ErrTooLarge) || b.Len() != 1 || b.Size() != size {
			t.Errorf("too many %s: %v, %d events of %d bytes", name, err, b.Len(), b.Size())
		}
	}
	if err := b.Add(small); err != nil {
		t.Fatal(err)
	}
	packed, err := b.Pack(Counters{Lost: 3})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(packed)
	if err != nil || len(got.Events) != 2 || string(got.Events[1].Command.Line) != "id" || got.Counters.Lost != 3 {
		t.Errorf("got %+v, %v", got, err)
	}
	if packed, err = b.Pack(Counters{}); err != nil {
		t.Fatal(err)
	}
	if got, err := Decode(packed); err != nil || len(got.Events) != 0 || got.Counters.Any() {
		t.Errorf("an empty batch: %+v, %v", got, err)
	}
}
