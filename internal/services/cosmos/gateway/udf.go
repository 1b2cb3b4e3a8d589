package gateway

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/scripts"
)

const maxFunctions = 10 // user-defined functions that a query may name

// withFunctions gives a query the container's user-defined functions that it names. Call done when it has run.
func (g *Gateway) withFunctions(ctx context.Context, c *call, con *catalog.Container, q *parsedQuery) (done func(), err error) {
	names := q.program.UDFs()
	if len(names) == 0 {
		return func() {}, nil
	}
	if g.Scripts == nil {
		return nil, notImplemented("Server-side scripts")
	}
	if len(names) > maxFunctions {
		return nil, invalid("The query names %d user-defined functions; at most %d are allowed.", len(names), maxFunctions)
	}
	bodies := map[string]string{}
	for _, name := range names {
		s, err := g.Catalog.Script(ctx, c.account.GUID, con, catalog.Function, name)
		if fault.Is(err, fault.NotFound) {
			continue // the query says where it is named
		}
		if err != nil {
			return nil, err
		}
		bodies[name] = s.Body
	}
	s, err := g.Scripts.Functions(ctx, bodies, c.now)
	if err != nil {
		return nil, scriptError(err)
	}
	env := c.environment(con, q.program)
	env.UDF = &functions{s, bodies, &q.calls}
	q.program = q.program.With(env)
	return s.Close, nil
}

// functions implements query.UDF.
type functions struct {
	session scripts.Session
	bodies  map[string]string
	took    *time.Duration
}

// Call implements query.UDF.
func (f *functions) Call(ctx context.Context, name string, args []query.Value) (query.Value, error) {
	if _, ok := f.bodies[name]; !ok {
		return query.Undefined, query.ErrNoUDF
	}
	texts := make([]string, len(args))
	for i, a := range args {
		texts[i] = string(a.AppendJSON(nil))
	}
	begin := time.Now() // of the metrics only
	out, err := f.session.Call(ctx, name, texts)
	*f.took += time.Since(begin)
	if err != nil {
		return query.Undefined, functionError(err)
	}
	if out == "" {
		return query.Undefined, nil
	}
	return query.ParseValue([]byte(out))
}

// functionError words what a user-defined function is to blame for.
func functionError(err error) error {
	var e *scripts.Error
	if !errors.As(err, &e) || e.Reason != scripts.Thrown {
		return scriptError(err)
	}
	text := "Encountered exception while executing Javascript. Exception = " + e.Message + "\r\nStack trace: " + e.Message + strings.TrimRight(e.Stack, "\n")
	number := e.Number
	if number == 0 {
		number = http.StatusBadRequest
	}
	return withSub(invalid("%s", oneError(text)), number).WithCause(err)
}
