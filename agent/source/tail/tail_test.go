package tail

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/source"
)

// keeper is a sink that keeps events and position together at some marks, as a queue on a disk does; after a crash it has what it kept.
type keeper struct {
	mu       sync.Mutex
	every    int // keep at each so-manieth mark
	marks    int
	fresh    []string
	kept     []string
	position []byte
	lost     map[string]uint64
}

func (k *keeper) Event(_ string, e *activity.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case e.Kind == activity.Audit && string(e.Op) == "lost":
		if k.lost == nil {
			k.lost = map[string]uint64{}
		}
		k.lost[string(e.Subject)] += e.Lost
	case e.Kind == activity.Exec:
		k.fresh = append(k.fresh, string(e.Command.Line))
	case e.Kind == activity.Other && len(e.Message) > 0:
		k.fresh = append(k.fresh, fmt.Sprintf("%.12s %d", e.Message, len(e.Message)))
	default:
		k.fresh = append(k.fresh, string(e.SignIn.Account))
	}
}

func (k *keeper) Mark(_ string, position []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.marks++; k.marks%max(k.every, 1) == 0 || k.position == nil {
		k.kept, k.fresh, k.position = append(k.kept, k.fresh...), nil, position
	}
	return nil
}

func (k *keeper) crash() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fresh = nil
}

func (k *keeper) seen() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Concat(k.kept, k.fresh)
}

func (k *keeper) seenMarks() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.marks
}

func (k *keeper) place() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return string(k.position)
}

func (k *keeper) losses(place string) uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lost[place]
}

// until waits for so many events, and some time more for those that shouldn't come.
func (k *keeper) until(t *testing.T, n int) []string {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if len(k.seen()) >= n {
			time.Sleep(20 * time.Millisecond)
			return k.seen()
		}
	}
	t.Fatalf("%d events came of %d: %v", len(k.seen()), n, k.seen())
	return nil
}

func options(file string) Options {
	return Options{File: file, Lines: Audit, FromStart: true, Poll: time.Millisecond, Grace: 15 * time.Millisecond}
}

// follow runs a source from the position kept until stop is called.
func follow(t *testing.T, o Options, k *keeper) (s *Source, stop func()) {
	t.Helper()
	s = New(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, k.position, source.NewOut(s.Name(), k)) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return s, stop
}

func login(n int) string {
	return fmt.Sprintf("type=USER_LOGIN msg=audit(%d.%03d:%d): pid=9 uid=0 auid=0 ses=3 msg='op=login acct=\"u%d\" res=success'\n", 1_700_000_000+n/1000, n%1000, n, n)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func names(from, to int) (all []string) {
	for n := from; n < to; n++ {
		all = append(all, "u"+strconv.Itoa(n))
	}
	return all
}

func check(t *testing.T, got []string, from, to int) {
	t.Helper()
	if diff := gocmp.Diff(names(from, to), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestFollow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.log")
	k := &keeper{}
	_, stop := follow(t, options(file), k) // before there is a log
	time.Sleep(5 * time.Millisecond)
	write(t, file, login(0)+login(1))
	check(t, k.until(t, 2), 0, 2)
	whole := login(2)
	write(t, file, whole[:50])
	time.Sleep(10 * time.Millisecond)
	check(t, k.seen(), 0, 2)
	write(t, file, whole[50:]+login(3))
	check(t, k.until(t, 4), 0, 4)
	stop()
	write(t, file, login(4))
	follow(t, options(file), k)
	check(t, k.until(t, 5), 0, 5)
}

// TestFollow_FromEnd: what a log had before the first start isn't told, nor the rest of a line that was being written.
func TestFollow_FromEnd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.log")
	half := login(1)
	write(t, file, login(0)+half[:40])
	o := options(file)
	o.FromStart = false
	k := &keeper{}
	_, stop := follow(t, o, k)
	for k.seenMarks() == 0 {
		time.Sleep(time.Millisecond)
	}
	write(t, file, half[40:]+login(2))
	check(t, k.until(t, 1), 2, 3)
	stop()
	write(t, file, login(3))
	follow(t, o, k)
	check(t, k.until(t, 2), 2, 4)
}

// TestRestart: the log is rotated in one of the ways there are, once or more, while nobody follows it.
func TestRestart(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, file string){
		"renamed": func(t *testing.T, file string) {
			write(t, file, login(2))
			rename(t, file, file+".1")
			write(t, file, login(3))
		},
		"renamed, no new one": func(t *testing.T, file string) {
			write(t, file, login(2)+strings.TrimSuffix(login(3), "\n"))
			rename(t, file, file+".1")
		},
		"renamed by date": func(t *testing.T, file string) {
			write(t, file, login(2))
			rename(t, file, file+"-20260101")
			write(t, file, login(3))
		},
		"renamed twice": func(t *testing.T, file string) {
			rename(t, file, file+".1")
			write(t, file, login(2))
			rename(t, file+".1", file+".2")
			rename(t, file, file+".1")
			write(t, file, login(3))
		},
		"compressed": func(t *testing.T, file string) {
			write(t, file, login(2))
			rename(t, file, file+".1")
			compress(t, file+".1")
			write(t, file, login(3))
		},
		"compressed twice": func(t *testing.T, file string) {
			rename(t, file, file+".1")
			write(t, file, login(2))
			compress(t, file+".1")
			rename(t, file+".1.gz", file+".2.gz")
			rename(t, file, file+".1")
			compress(t, file+".1")
			write(t, file, login(3))
		},
		"copied": func(t *testing.T, file string) {
			write(t, file, login(2))
			copyCut(t, file)
			write(t, file, login(3))
		},
		"copied, and written beyond where it was": func(t *testing.T, file string) {
			copyCut(t, file)
			write(t, file, login(2)+login(3)+strings.Repeat("\n", 300))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "audit.log")
			write(t, file+".1", login(900)+login(901)) // older than all that is followed
			rename(t, file+".1", file+".7")
			compress(t, file+".7")
			time.Sleep(5 * time.Millisecond)
			write(t, file, login(0)+login(1))
			k := &keeper{}
			_, stop := follow(t, options(file), k)
			check(t, k.until(t, 2), 0, 2)
			stop()
			time.Sleep(5 * time.Millisecond)
			change(t, file)
			_, stop = follow(t, options(file), k)
			check(t, k.until(t, 4), 0, 4)
			stop()
			if len(k.lost) != 0 {
				t.Errorf("lost: %v", k.lost)
			}
		})
	}
}

// TestRestart_Gone: what can't be found any more is told as lost.
func TestRestart_Gone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.log")
	write(t, file, login(0)+login(1))
	k := &keeper{}
	_, stop := follow(t, options(file), k)
	k.until(t, 2)
	stop()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	write(t, file+".x", "keeps the inode from being taken again")
	write(t, file, login(2))
	follow(t, options(file), k)
	check(t, k.until(t, 3), 0, 3)
	if k.losses("file") != 1 {
		t.Errorf("lost: %v", k.lost)
	}
}

// TestRestart_Open: an event whose records came partly before a restart and partly behind it is one.
func TestRestart_Open(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.log")
	at := time.Now().Add(time.Hour).Unix() // so that it isn't taken for complete
	stamp := fmt.Sprintf("msg=audit(%d.000:7): ", at)
	write(t, file, "type=SYSCALL "+stamp+`arch=c000003e syscall=59 success=yes exit=0 ppid=1 pid=7 auid=0 uid=0 ses=2 comm="x" exe="/usr/bin/x"`+"\n"+"type=EXECVE "+stamp+`argc=2 a0="/usr/bin/x"`+"\n")
	k := &keeper{}
	_, stop := follow(t, options(file), k)
	for !strings.Contains(k.place(), `"open"`) {
		time.Sleep(time.Millisecond)
	}
	stop()
	write(t, file, "type=EXECVE "+stamp+` a1="--all"`+"\n"+"type=PROCTITLE "+stamp+"proctitle=78\n")
	follow(t, options(file), k)
	if got := k.until(t, 1); len(got) != 1 || got[0] != "/usr/bin/x --all" {
		t.Errorf("got %q", got)
	}
}

// TestBounds: lines longer than any log has are counted and passed over, and a serial that is missing is told.
func TestBounds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.log")
	write(t, file, login(0)+strings.Repeat("x", 5*maxLine)+"\n"+login(1)+login(5)+strings.Repeat("y", 3*maxLine))
	k := &keeper{}
	s, stop := follow(t, options(file), k)
	k.until(t, 3)
	for end := time.Now().Add(10 * time.Second); k.losses("socket") == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	stop()
	write(t, file, "the rest\n"+login(6))
	_, stop = follow(t, options(file), k)
	if diff := gocmp.Diff([]string{"u0", "u1", "u5", "u6"}, k.until(t, 4)); diff != "" {
		t.Error(diff)
	}
	stop()
	if k.lost["file"] != 2 || k.lost["socket"] != 3 {
		t.Errorf("lost: %v, figures %+v", k.lost, s.Figures())
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "audit.log")
	write(t, file, login(0))
	for name, c := range map[string]struct {
		file string
		from string
		want string
	}{
		"a folder":                 {dir, "", "no file that can be followed"},
		"no position":              {file, "{", "isn't one of a file"},
		"a position of tomorrow's": {file, `{"v":9}`, "version 9"},
		"a damaged one":            {file, `{"v":1,"at":-1}`, "damaged"},
	} {
		var from []byte
		if c.from != "" {
			from = []byte(c.from)
		}
		s := New(options(c.file))
		err := s.Run(t.Context(), from, source.NewOut(s.Name(), &keeper{}))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLog: the other kind of log. Of lines that nothing is known of it tells as they are, but of those that are there because of an agent.
func TestLog(t *testing.T) {
	file := filepath.Join(t.TempDir(), "auth.log")
	write(t, file, "Dec 10 11:02:44 h sshd[25399]: Failed password for invalid user admin from 192.0.2.7 port 42294 ssh2\nDec 10 11:02:45 h cron[1]: nothing\n\n"+
		"Dec 10 11:02:46 h kernel: [  12.3] audit: type=1300 audit(1.2:3): x\nDec 10 11:02:46 h bulkhead[7]: watching\nDec 10 11:02:47 h kernel: "+strings.Repeat("x", 20_000)+"\nno line of a log\n")
	o := options(file)
	o.Lines = Log(time.UTC, func() time.Time { return time.Date(2026, 12, 11, 0, 0, 0, 0, time.UTC) })
	k := &keeper{}
	s, _ := follow(t, o, k)
	if got := k.until(t, 3); !slices.Equal(got, []string{"admin", "cron[1]: not 16", "kernel: xxxx 16384"}) {
		t.Errorf("got %q", got)
	}
	if f := s.Figures(); f.Records != 6 || f.Events != 3 {
		t.Errorf("figures %+v", f)
	}
}

// TestExactlyOnce: whatever is done to the log, and however often its reader is killed, each event comes once. That they come in order is TestRestart's.
func TestExactlyOnce(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 5))
			file := filepath.Join(t.TempDir(), "audit.log")
			k := &keeper{every: 1 + rnd.IntN(4)}
			o := options(file)
			o.Grace = 150 * time.Millisecond // beside a busy machine's other work
			o.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
			_, stop := follow(t, o, k)
			for k.seenMarks() == 0 {
				time.Sleep(time.Millisecond)
			}
			n, rotations := 0, 0
			for range 60 {
				switch rnd.IntN(10) {
				case 0:
					if shift(t, file, &rotations) && rnd.IntN(2) == 0 { // whoever writes hasn't noticed yet
						write(t, file+".1", login(n))
						n++
						time.Sleep(2 * o.Grace)
					}
				case 1:
					if _, err := os.Stat(file); err == nil {
						for i := rotations; i > 0; i-- { // the copy's name must be free
							moveOn(t, file, i)
						}
						rotations++
						copyCut(t, file)
						time.Sleep(5 * time.Millisecond)
					}
				case 2, 3:
					stop()
					k.crash()
					t.Logf("restart after %d, at %s", n, k.place())
					_, stop = follow(t, o, k)
				default:
					for range 1 + rnd.IntN(5) {
						line := login(n)
						cut := rnd.IntN(len(line))
						write(t, file, line[:cut])
						if rnd.IntN(8) == 0 {
							time.Sleep(3 * time.Millisecond)
						}
						write(t, file, line[cut:])
						n++
					}
				}
			}
			got := k.until(t, n)
			stop()
			// Files that are renamed while they are looked for may come later than a younger one: here names change within a millisecond.
			slices.SortFunc(got, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
			check(t, got, 0, n)
		})
	}
}

// TestCutMeanwhile: a log that is cut while it is looked for was the place's file a moment ago. Its copy is no file to read from the start, and once the cut is seen it is read from
// the place on.
func TestCutMeanwhile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.log")
	write(t, file, login(0)+login(1)+login(2))
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	p := place{ID: idOf(info), Offset: int64(len(login(0)))}
	if p.Head, err = headOf(f, headBytes); err != nil {
		t.Fatal(err)
	}
	if same, err := p.isLog(file); err != nil || !same {
		t.Fatalf("the log isn't known: %v", err)
	}
	copyCut(t, file)
	files, err := olders(file)
	if err != nil || len(files) != 1 {
		t.Fatalf("older files %v: %v", files, err)
	}
	if before, lost := p.unread(file, true, files, nil); len(before) != 0 || lost {
		t.Errorf("with the log as it was: to read %v, lost %v", before, lost)
	}
	before, _, _, lost, err := plan(file, &p, nil)
	if err != nil || lost || len(before) != 1 || before[0].offset != p.Offset {
		t.Errorf("with the log as it is: to read %v, lost %v: %v", before, lost, err)
	}
	if from0 := (segment{older: files[0]}); len(before) == 1 && before[0].same(from0) {
		t.Error("the same file from another place passes for the same")
	}
}

// shift does what logrotate does: .1 becomes .2.gz, the log becomes .1.
func shift(t *testing.T, file string, rotations *int) bool {
	t.Helper()
	if _, err := os.Stat(file); err != nil {
		return false
	}
	for i := *rotations; i > 0; i-- {
		moveOn(t, file, i)
	}
	*rotations++
	rename(t, file, file+".1")
	return true
}

func moveOn(t *testing.T, file string, i int) {
	t.Helper()
	name := file + "." + strconv.Itoa(i)
	next := file + "." + strconv.Itoa(i+1)
	if i == 1 {
		if _, err := os.Stat(name); err == nil {
			rename(t, name, next)
			compress(t, next)
		}
		return
	}
	if _, err := os.Stat(name + ".gz"); err == nil {
		rename(t, name+".gz", next+".gz")
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// compress does what gzip does: the time stays.
func compress(t *testing.T, name string) {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(name + ".gz.part")
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	_, err = z.Write(in)
	err = errors.Join(err, z.Close(), f.Close(), os.Chtimes(name+".gz.part", info.ModTime(), info.ModTime()), os.Rename(name+".gz.part", name+".gz"), os.Remove(name))
	if err != nil {
		t.Fatal(err)
	}
}

// copyCut does what logrotate's copytruncate does.
func copyCut(t *testing.T, file string) {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(file + ".1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close(), os.Truncate(file, 0)); err != nil {
		t.Fatal(err)
	}
}

// FuzzPlace: no position panics, and what is read is written as it was.
func FuzzPlace(f *testing.F) {
	f.Add((&place{ID: fileID{1, 2}, Head: head{3, 4}, Offset: 5, Inside: true, Open: []byte("x")}).encode())
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePlace(b)
		if err != nil {
			return
		}
		again, err := decodePlace(p.encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(p, again, gocmp.AllowUnexported(place{})); diff != "" && len(p.Open) > 0 {
			t.Error(diff)
		}
	})
}
