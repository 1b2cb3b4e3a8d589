package scripts

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/dop251/goja"
)

// Engine runs scripts in this process. It bounds their time, but not what a single instruction takes: see the package's comment.
type Engine struct {
	programs *programs
	limit    time.Duration // MaxTime, but in tests
}

// NewEngine makes an Engine.
func NewEngine() *Engine { return &Engine{programs: newPrograms(), limit: MaxTime} }

// Check implements Runner.
func (e *Engine) Check(_ context.Context, body string) error {
	_, err := e.programs.get("script.js", body)
	return err
}

// Reasons for which a run is interrupted.
var (
	errTime   = errors.New("the script's time is over")
	errMemory = errors.New("the script's memory is used up")
)

// hostError carries a Host's error out of the interpreter.
type hostError struct{ err error }

// run is one run of a job.
type run struct {
	vm      *goja.Runtime
	object  *goja.Object // what the prelude answered
	ctx     context.Context
	host    Host
	begin   time.Time
	refuse  time.Duration
	stopped error
}

// fileName is how stack traces call a script.
func fileName(name string) string { return name + ".js" }

// newRun makes a global scope. job nil: for user-defined functions.
func (e *Engine) newRun(ctx context.Context, now time.Time, job *Job, h Host) (*run, error) {
	p, err := prelude()
	if err != nil {
		return nil, err
	}
	r := &run{vm: goja.New(), ctx: ctx, host: h, begin: time.Now(), refuse: min(refuseAfter, e.limit*4/5)}
	r.vm.SetMaxCallStackSize(callDepth)
	r.vm.SetTimeSource(func() time.Time { return now.Add(time.Since(r.begin)) })
	v, err := r.vm.RunProgram(p)
	if err != nil {
		return nil, err
	}
	start, _ := goja.AssertFunction(v)
	about := goja.Value(goja.Null())
	if job != nil {
		if about, err = r.describeJob(job); err != nil {
			return nil, err
		}
	}
	if v, err = start(goja.Undefined(), r.vm.ToValue(r.native), about); err != nil {
		return nil, err
	}
	r.object = v.ToObject(r.vm)
	return r, nil
}

func (r *run) describeJob(j *Job) (goja.Value, error) {
	b, err := json.Marshal(struct {
		*Job
		Body string `json:"body,omitempty"`
	}{Job: j})
	if err != nil {
		return nil, err
	}
	decode, _ := goja.AssertFunction(r.vm.GlobalObject().Get("JSON").ToObject(r.vm).Get("parse"))
	return decode(goja.Undefined(), r.vm.ToValue(string(b)))
}

// native is what prelude.js calls to get out.
func (r *run) native(call goja.FunctionCall) goja.Value {
	if r.stopped != nil {
		return goja.Undefined()
	}
	if time.Since(r.begin) > r.refuse {
		return r.vm.ToValue(`{"accepted":false}`)
	}
	args := make([]string, 0, 4)
	for _, a := range call.Arguments {
		args = append(args, a.String())
	}
	if len(args) == 0 {
		return goja.Undefined()
	}
	out, err := r.host.Call(r.ctx, args[0], args[1:])
	if err != nil {
		r.stopped = err
		r.vm.Interrupt(hostError{err})
		return goja.Undefined()
	}
	return r.vm.ToValue(string(out))
}

// within runs f, and stops it when the time is over or ctx is.
func (r *run) within(limit time.Duration, f func() error) error {
	timer := time.AfterFunc(limit, func() { r.vm.Interrupt(errTime) })
	stop := context.AfterFunc(r.ctx, func() { r.vm.Interrupt(hostError{r.ctx.Err()}) })
	defer func() { timer.Stop(); stop() }()
	err := f()
	var own *Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	return r.failure(err)
}

// failure words why the interpreter stopped.
func (r *run) failure(err error) error {
	var in *goja.InterruptedError
	var stack *goja.StackOverflowError
	var ex *goja.Exception
	switch {
	case errors.As(err, &in):
		switch v := in.Value().(type) {
		case hostError:
			return v.err
		case error:
			if errors.Is(v, errMemory) {
				return tooMuch()
			}
		}
		return &Error{Reason: TooLong, Message: "The script ran for more than 5 seconds."}
	case errors.As(err, &stack):
		return &Error{Reason: Thrown, Message: "Error: Out of stack space"}
	case errors.As(err, &ex):
		return r.thrown(ex)
	}
	return err
}

func tooMuch() *Error {
	return &Error{Reason: TooMuch, Message: "The script used more memory or stack than it is allowed."}
}

func (r *run) thrown(ex *goja.Exception) error {
	v, err := r.method("describe", ex.Value())
	if err != nil {
		var again *goja.Exception
		if errors.As(err, &again) {
			return &Error{Reason: Thrown, Message: "an exception without a text"}
		}
		return r.failure(err)
	}
	out := &Error{Reason: Thrown}
	var d struct {
		Number  float64 `json:"number"`
		Message string  `json:"message"`
		Stack   string  `json:"stack"`
	}
	if err := json.Unmarshal([]byte(v.String()), &d); err != nil {
		return err
	}
	if d.Number >= 0 && d.Number < 1<<16 {
		out.Number = int(d.Number)
	}
	out.Message, out.Stack = shorten(d.Message), stackTrace(d.Stack)
	if v, err := r.method("log"); err == nil {
		out.Log = v.String()
	}
	return out
}

const longestMessage = 8 << 10

func shorten(s string) string {
	if len(s) <= longestMessage {
		return s
	}
	return strings.ToValidUTF8(s[:longestMessage], "") + "..."
}

var frameLine = regexp.MustCompile(`^\s*at (?:(\S+) \()?(\S+):(\d+):(\d+)\(\d+\)\)?$`)

// stackTrace keeps the frames of the script itself, in the service's form.
func stackTrace(stack string) string {
	var b strings.Builder
	n := 0
	for line := range strings.Lines(stack) {
		m := frameLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil || m[2] == "prelude.js" || n == 20 {
			continue
		}
		if n++; m[1] == "" {
			m[1] = "Anonymous function"
		}
		b.WriteString("\n   at " + m[1] + " (" + m[2] + ":" + m[3] + ":" + m[4] + ")")
	}
	return b.String()
}

func (r *run) method(name string, args ...goja.Value) (goja.Value, error) {
	f, ok := goja.AssertFunction(r.object.Get(name))
	if !ok { // a session's prelude has no log
		return nil, errors.New("scripts: the prelude has no " + name)
	}
	return f(goja.Undefined(), args...)
}

// Run implements Runner.
func (e *Engine) Run(ctx context.Context, j Job, h Host) (Result, error) {
	p, err := e.programs.get(fileName(j.Name), j.Body)
	if err != nil {
		return Result{}, err
	}
	r, err := e.newRun(ctx, j.Now, &j, h)
	if err != nil {
		return Result{}, err
	}
	var out Result
	err = r.within(e.limit, func() error {
		f, err := r.vm.RunProgram(p)
		if err != nil {
			return err
		}
		if _, err := r.method("start", f); err != nil {
			return err
		}
		for {
			v, err := r.method("step")
			if err != nil {
				return err
			}
			if !v.ToBoolean() {
				break
			}
		}
		body, err := r.method("result")
		if err != nil {
			return err
		}
		log, err := r.method("log")
		if err != nil {
			return err
		}
		out.Log = log.String()
		text := body.String()
		if len(text) > MaxResult {
			return &Error{Reason: TooBig, Number: 413, Message: "The response of the script is too large."}
		}
		if text != "" { // an empty text is no JSON
			out.Body = json.RawMessage(text)
		}
		return nil
	})
	if err == nil {
		err = r.stopped
	}
	if err != nil {
		return Result{}, err
	}
	return out, nil
}

// Functions implements Runner.
func (e *Engine) Functions(ctx context.Context, bodies map[string]string, now time.Time) (Session, error) {
	r, err := e.newRun(ctx, now, nil, nil)
	if err != nil {
		return nil, err
	}
	s := &engineSession{r: r, left: e.limit, functions: map[string]goja.Value{}}
	for name, body := range bodies {
		p, err := e.programs.get(fileName(name), body)
		if err != nil {
			return nil, err
		}
		if err := s.within(ctx, func() error {
			f, err := r.vm.RunProgram(p)
			s.functions[name] = f
			return err
		}); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// engineSession is a Session in this process.
type engineSession struct {
	r         *run
	left      time.Duration
	functions map[string]goja.Value
	call      goja.Callable
}

func (s *engineSession) within(ctx context.Context, f func() error) error {
	s.r.ctx = ctx
	begin := time.Now()
	err := s.r.within(s.left, f)
	s.left = max(s.left-time.Since(begin), time.Millisecond)
	return err
}

// Call implements Session.
func (s *engineSession) Call(ctx context.Context, name string, args []string) (string, error) {
	f, ok := s.functions[name]
	if !ok {
		return "", errors.New("scripts: the session has no function " + name)
	}
	if s.call == nil {
		s.call, _ = goja.AssertFunction(s.r.object.Get("call"))
	}
	in := make([]goja.Value, 1+len(args))
	in[0] = f
	for i, a := range args {
		in[i+1] = s.r.vm.ToValue(a)
	}
	var out string
	err := s.within(ctx, func() error {
		v, err := s.call(goja.Undefined(), in...)
		if err == nil {
			out = v.String()
		}
		return err
	})
	return out, err
}

// Close implements Session.
func (s *engineSession) Close() {}
