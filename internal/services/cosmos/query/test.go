package query

import (
	"context"
	"time"
)

// Test is a condition over one value, which stands under a name. Immutable.
type Test struct {
	p    *Program
	eval evalFn
}

// CompileTest compiles a part of a query that compiled, of whose text it is; ok is false where it cannot be compiled by itself.
func CompileTest(text string, e Expr, name string, params map[string]Value) (t *Test, ok bool) {
	c := &compiler{text: text, params: params, slots: 1}
	t = &Test{}
	if c.catch(func() { t.eval = c.expr(e, &scope{names: map[string]int{name: rootSlot}}) }) != nil || c.also != nil {
		return nil, false
	}
	t.p = &Program{slots: c.slots}
	return t, true
}

// Tester is a Test at work. It is not safe for concurrent use.
type Tester struct {
	eval  evalFn
	frame frame
	Steps int // of work so far, about 10 ns each, regular expressions with it
}

// Begin makes a Tester.
func (t *Test) Begin() *Tester {
	return &Tester{eval: t.eval, frame: t.p.newFrame(context.Background())}
}

// May tells whether the condition is true for v, or fails.
func (t *Tester) May(v Value) bool {
	t.frame.begin(v)
	t.frame.err = nil
	may := t.eval(&t.frame).IsTrue() || t.frame.err != nil
	t.Steps += t.frame.steps + 10 + int(t.frame.matched/(10*time.Nanosecond))
	return may
}
