package scripts

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// WorkerArg is the one argument that makes a program a worker: its main function then calls Serve, before anything else.
const WorkerArg = "script-worker"

// Exit codes of a worker that ended itself. A stack that grew too large is the runtime's own 2.
const (
	exitMemory = 86
	exitTime   = 87
)

// Bounds of a worker.
const (
	maxHeap   = 256 << 20
	softHeap  = 160 << 20 // from here on memory is collected harder
	maxStack  = 128 << 20
	watchTick = 5 * time.Millisecond
	overtime  = time.Second // after MaxTime: the interpreter did not stop by itself
)

// Serve is a worker: it answers frames until there are no more, and gives the exit code. It changes settings of its process.
func Serve(in io.Reader, out io.Writer) int {
	signal.Ignore(os.Interrupt) // the platform ends its workers
	confine()
	runtime.GOMAXPROCS(max(2, min(4, runtime.NumCPU()))) // one looks after the other
	debug.SetMaxStack(maxStack)
	debug.SetMemoryLimit(softHeap)
	debug.SetTraceback("none")
	w := &worker{in: bufio.NewReader(in), out: bufio.NewWriter(out), engine: NewEngine()}
	for {
		f, err := readFrame(w.in)
		if err != nil {
			return 0
		}
		if err := w.handle(f); err != nil {
			return 1
		}
	}
}

type worker struct {
	in      *bufio.Reader
	out     *bufio.Writer
	engine  *Engine
	session Session
}

// handle serves one frame. An error means that the platform is gone.
func (w *worker) handle(f *frame) error {
	if f.Limit > 0 {
		w.engine.limit = f.Limit
	}
	unguard := guard(w.engine.limit + overtime)
	ctx := context.Background()
	done := frame{Type: frameDone}
	var err error
	switch {
	case f.Type == frameCheck:
		err = w.engine.Check(ctx, f.Body)
	case f.Type == frameRun && f.Job != nil:
		var result Result
		if result, err = w.engine.Run(ctx, *f.Job, w); err == nil {
			done.Result = &result
		}
	case f.Type == frameOpen:
		w.session, err = w.engine.Functions(ctx, f.Functions, f.Now)
	case f.Type == frameCall && w.session != nil:
		done.Reply, err = w.session.Call(ctx, f.Name, f.Args)
	case f.Type == frameClose:
		w.session = nil
		unguard()
		return nil
	default:
		err = errors.New("a frame of type " + f.Type)
	}
	if err != nil && !errors.As(err, &done.Error) {
		done.Broken = err.Error()
	}
	unguard() // what is left of this one's memory must not end the process under the next
	if err := writeFrame(w.out, &done); err != nil {
		return err
	}
	if heap() > softHeap/2 { // the next frame is not to pay for this one
		debug.FreeOSMemory()
	}
	return nil
}

// heap is how many bytes of objects there are, in use or not collected yet.
func heap() uint64 {
	sample := [1]metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample[:])
	return sample[0].Value.Uint64()
}

// errStopped: the platform's host failed; it knows how.
var errStopped = errors.New("stopped")

// Call implements Host: the platform does it.
func (w *worker) Call(_ context.Context, op string, args []string) ([]byte, error) {
	if err := writeFrame(w.out, &frame{Type: frameHost, Name: op, Args: args}); err != nil {
		return nil, err
	}
	f, err := readFrame(w.in)
	if err != nil {
		return nil, err
	}
	if f.Type != frameReply {
		return nil, errStopped
	}
	return []byte(f.Reply), nil
}

// guard watches over one frame's work; the function it returns ends that. What the interpreter cannot stop ends the process.
func guard(limit time.Duration) (done func()) {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(watchTick)
		defer tick.Stop()
		end := time.After(limit)
		for {
			select {
			case <-stop:
				return
			case <-end:
				os.Exit(exitTime)
			case <-tick.C:
				if heap() > maxHeap {
					os.Exit(exitMemory)
				}
			}
		}
	}()
	return func() { close(stop); <-ended }
}
