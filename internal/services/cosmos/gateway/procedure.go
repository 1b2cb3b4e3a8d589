package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/scripts"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// scriptRetries is how often a script may find that what it read was changed by others, and run again.
const scriptRetries = 10

// chargeScript is what a script costs besides its operations.
const chargeScript = 1.0

// executeProcedure runs a stored procedure on one logical partition: all it wrote is committed at once, or nothing.
func (g *Gateway) executeProcedure(ctx context.Context, c *call, con *catalog.Container, t scriptResource) (any, error) {
	if g.Scripts == nil {
		return nil, notImplemented("Server-side scripts")
	}
	s, err := g.Catalog.Script(ctx, c.account.GUID, con, t.kind, c.Param("script"))
	if err != nil {
		return nil, err
	}
	args, err := c.arguments()
	if err != nil {
		return nil, err
	}
	job := g.job(c, con, scripts.Procedure, s)
	job.Args, job.Operation, job.Request = args, "ExecuteJavaScript", args
	var result scripts.Result
	x, state, err := g.session(ctx, c, con, func(x *scriptHost) error {
		if err := c.checkSession(x.session.State()); err != nil {
			return err
		}
		result, err = g.Scripts.Run(ctx, job, x)
		return err
	})
	if err != nil {
		c.setLog(logOf(err))
		return nil, err
	}
	c.setLog(result.Log)
	c.setCharge(x.charge)
	c.setRange(con, state)
	c.setUsage(con, state.Usage)
	return &wire.Reply{Status: http.StatusOK, Body: result.Body}, nil
}

// arguments reads the body of an execution.
func (c *call) arguments() (json.RawMessage, error) {
	if len(c.Body) == 0 {
		return json.RawMessage("[]"), nil
	}
	var in []json.RawMessage
	if err := json.Unmarshal(c.Body, &in); err != nil {
		return nil, invalid("The parameters of a stored procedure are a JSON array.")
	}
	if in == nil {
		return json.RawMessage("[]"), nil
	}
	return c.Body, nil
}

func logOf(err error) string {
	var e *scripts.Error
	if errors.As(err, &e) {
		return e.Log
	}
	return ""
}

// setLog shows what the script logged, to a client that asked for it.
func (c *call) setLog(log string) {
	if log != "" {
		c.SetHeader("X-Ms-Documentdb-Script-Log-Results", url.PathEscape(log))
	}
}

// job is what all runs for a request have in common.
func (g *Gateway) job(c *call, con *catalog.Container, kind scripts.Kind, s *catalog.Script) scripts.Job {
	return scripts.Job{
		Kind: kind, Name: s.Name, Body: s.Body, SelfLink: con.RID().SelfLink(), AltLink: con.Derived.Path, Now: c.now,
		Logging: c.isTrue("X-Ms-Documentdb-Script-Enable-Logging"), Quota: con.Derived.Quota[0],
	}
}

// session runs fn in a session on the request's logical partition and commits it; fn runs again when what it read was changed meanwhile. After
// some times the client has to, as with the service (449).
func (g *Gateway) session(ctx context.Context, c *call, con *catalog.Container, fn func(x *scriptHost) error) (*scriptHost, items.State, error) {
	key, err := c.wholeKey(con)
	if err != nil {
		return nil, items.State{}, err
	}
	epk := key.EPK(*con.PartitionKey)
	if err := g.admit(c, con, epk); err != nil {
		return nil, items.State{}, err
	}
	for range scriptRetries {
		ses, err := g.Items.Begin(con.At(epk), epk, c.now)
		if err != nil {
			return nil, items.State{}, err
		}
		if _, err := ses.Stat(ctx); err != nil {
			return nil, items.State{}, documentError(err)
		}
		x := &scriptHost{g: g, c: c, con: con, key: key, session: ses, charge: chargeScript}
		if err := fn(x); err != nil {
			var own *scripts.Error
			if errors.As(err, &own) && own.Reason != scripts.Thrown {
				return nil, items.State{}, scriptError(err)
			}
			// What the script stumbled over may be a state that never was.
			if ok, validErr := ses.Valid(ctx); validErr == nil && !ok {
				continue
			}
			return nil, items.State{}, scriptError(documentError(err))
		}
		state, err := ses.Commit(ctx)
		switch {
		case errors.Is(err, items.ErrStale):
			continue
		case err != nil:
			return nil, items.State{}, documentError(err)
		}
		return x, state, nil
	}
	return nil, items.State{}, retryWith()
}

// pageOf reads a page's size as a script gives it.
func pageOf(text string) (int, bool) {
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || f < -1 || f != f:
		return 0, false
	case f <= 0:
		return pageDynamic, true
	}
	return int(min(max(f, 1), pageMax)), true
}
