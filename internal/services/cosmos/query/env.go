package query

import (
	"context"
	"errors"
	"time"
)

// Env is what a query meets outside its text: the container's functions, the time, how the container reads shapes. The zero Env has no
// user-defined function and takes the machine's time.
type Env struct {
	UDF UDF              // nil: there are none
	Now func() time.Time // nil: time.Now
	// Rand is a random number from 0 up to 1, nil: math/rand/v2's.
	Rand func() float64
	// Flat tells that the container's geospatialConfig is Geometry: shapes lie on a plane, not on the earth.
	Flat bool
	// Vectors has the distanceFunction of the container's vectorEmbeddingPolicy by path, such as "/embedding".
	Vectors map[string]string
}

// UDF calls the user-defined functions of a container.
type UDF interface {
	// Call runs one. The arguments borrow from the document (see Value) and may be Undefined; Value.AppendJSON writes one, ParseValue reads
	// a result. No such function is ErrNoUDF; any other error, a *fault.Error as a rule, ends the query. Called from one goroutine at a time.
	Call(ctx context.Context, name string, args []Value) (Value, error)
}

// ErrNoUDF is what UDF.Call answers for a name that the container does not have.
var ErrNoUDF = errors.New("query: no such user-defined function")

// With is the program in an environment; p itself stays as it is. Both are safe for concurrent use as far as what is in env is.
func (p *Program) With(env Env) *Program {
	c := *p
	c.env = env
	return &c
}

// Env is the environment of the program.
func (p *Program) Env() Env { return p.env }

// ReadsPolicies tells whether Env.Flat or Env.Vectors matter to the query.
func (p *Program) ReadsPolicies() bool { return p.policies }

// UDFs lists the user-defined functions that the query names, each once, so that they can be loaded before it runs.
func (p *Program) UDFs() []string { return p.udfs }

// now is the time for this run.
func (f *frame) now() time.Time {
	if f.env.Now != nil {
		return f.env.Now().UTC()
	}
	return time.Now().UTC()
}

// udfSteps is what a call of a user-defined function counts for; its own time is for the UDF to bound.
const udfSteps = 1000

// udf compiles a call of a user-defined function.
func (c *compiler) udf(e *Call, sc *scope) evalFn {
	args := c.exprs(e.Args, sc)
	seen := false
	for _, n := range c.udfs {
		seen = seen || n == e.Name
	}
	if !seen {
		c.udfs = append(c.udfs, e.Name)
	}
	unknown := newError(diagnose(c.text, e.Span, "SC2001", "Identifier 'udf.%s' could not be resolved.", e.Name))
	return func(f *frame) Value {
		if f.err != nil {
			return Undefined
		}
		if f.env.UDF == nil {
			f.err = unknown
			return Undefined
		}
		values := make([]Value, len(args))
		for i, a := range args {
			if values[i] = a(f); !f.expressible(values[i]) { // arguments go as JSON
				return Undefined
			}
		}
		if !f.spend(udfSteps) {
			return Undefined
		}
		out, err := f.env.UDF.Call(f.context(), e.Name, values)
		switch {
		case errors.Is(err, ErrNoUDF):
			f.err = unknown
		case err != nil:
			f.err = err
		default:
			return f.made(out)
		}
		return Undefined
	}
}

// context is the caller's context.
func (f *frame) context() context.Context {
	if f.ctx != nil {
		return f.ctx
	}
	return context.Background()
}
