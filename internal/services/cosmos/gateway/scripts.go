package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/scripts"
)

// scriptResource is one of the three types of scripts, as it stands in paths and feeds.
type scriptResource struct {
	kind    catalog.ScriptKind
	segment string
	feed    string
	name    string // of operations
}

var scriptResources = [...]scriptResource{
	{catalog.Procedure, "sprocs", "StoredProcedures", "StoredProcedure"},
	{catalog.Trigger, "triggers", "Triggers", "Trigger"},
	{catalog.Function, "udfs", "UserDefinedFunctions", "UserDefinedFunction"},
}

// scriptRoutes adds the routes of stored procedures, triggers and user-defined functions.
func (g *Gateway) scriptRoutes(add func(method, pattern, operation string, h handler), coll string) {
	for _, t := range scriptResources {
		on := func(h func(context.Context, *call, *catalog.Container, scriptResource) (any, error)) handler {
			return func(ctx context.Context, c *call) (any, error) {
				con, err := g.container(ctx, c)
				if err != nil {
					return nil, err
				}
				return h(ctx, c, con, t)
			}
		}
		feed := coll + "/" + t.segment
		one := feed + "/{script}"
		add("GET", feed, "List"+t.name+"s", on(g.listScripts))
		add("POST", feed, "Create"+t.name, on(g.postScripts))
		add("GET", one, "Read"+t.name, on(g.readScript))
		add("PUT", one, "Replace"+t.name, on(g.replaceScript))
		add("DELETE", one, "Delete"+t.name, on(g.deleteScript))
		if t.kind == catalog.Procedure {
			add("POST", one, "ExecuteStoredProcedure", g.steady(on(g.executeProcedure)))
		}
	}
}

func renderScript(s *catalog.Script) json.RawMessage {
	id := s.RID()
	b := append([]byte(`{"id":`), quote(s.Name)...)
	b = append(append(b, `,"body":`...), quote(s.Body)...)
	if s.Kind == catalog.Trigger {
		b = append(append(b, `,"triggerType":`...), quote(s.Type)...)
		b = append(append(b, `,"triggerOperation":`...), quote(s.Operation)...)
	}
	b = appendSystem(b, id.String(), id.SelfLink(), s.ETag, s.Time)
	return append(b, '}')
}

func (g *Gateway) scripts(ctx context.Context, c *call, con *catalog.Container, t scriptResource) ([]json.RawMessage, error) {
	all, err := g.Catalog.Scripts(ctx, c.account.GUID, con, t.kind)
	out := make([]json.RawMessage, len(all))
	for i, s := range all {
		out[i] = renderScript(s)
	}
	return out, err
}

func (g *Gateway) listScripts(ctx context.Context, c *call, con *catalog.Container, t scriptResource) (any, error) {
	all, err := g.scripts(ctx, c, con, t)
	if err != nil {
		return nil, err
	}
	return c.feed(t.feed, con.Derived.RID, all)
}

func (g *Gateway) postScripts(ctx context.Context, c *call, con *catalog.Container, t scriptResource) (any, error) {
	switch c.op {
	case opQuery:
		all, err := g.scripts(ctx, c, con, t)
		if err != nil {
			return nil, err
		}
		return c.queryFeed(ctx, t.feed, con.Derived.RID, all)
	case opPlan, opBatch:
		return nil, invalid("Scripts have no query plan and no batches.")
	}
	spec, err := g.scriptSpec(ctx, c, t)
	if err != nil {
		return nil, err
	}
	s, created, err := g.Catalog.CreateScript(ctx, c.account.GUID, con, t.kind, spec, c.isTrue("X-Ms-Documentdb-Is-Upsert"), g.audit(c, http.StatusCreated))
	if err != nil {
		return nil, metadataError(err)
	}
	g.committed(c)
	status := http.StatusCreated
	if !created {
		status = http.StatusOK
	}
	return c.scriptReply(con, status, s), nil
}

func (c *call) scriptReply(con *catalog.Container, status int, s *catalog.Script) any {
	out := c.reply(status, chargeMetadataWrite, s.ETag, renderScript(s))
	c.ShareHeader("X-Ms-Content-Path", con.Derived.ContentPath)
	c.ShareHeader("X-Ms-Alt-Content-Path", con.Derived.AltContentPath)
	return out
}

func (g *Gateway) readScript(ctx context.Context, c *call, con *catalog.Container, t scriptResource) (any, error) {
	s, err := g.Catalog.Script(ctx, c.account.GUID, con, t.kind, c.Param("script"))
	if err != nil {
		return nil, err
	}
	if c.unchanged(s.ETag) {
		return c.reply(http.StatusNotModified, chargeMetadataRead, s.ETag, nil), nil
	}
	out := c.scriptReply(con, http.StatusOK, s)
	c.setCharge(chargeMetadataRead)
	return out, nil
}

func (g *Gateway) replaceScript(ctx context.Context, c *call, con *catalog.Container, t scriptResource) (any, error) {
	spec, err := g.scriptSpec(ctx, c, t)
	if err != nil {
		return nil, err
	}
	s, err := g.Catalog.ReplaceScript(ctx, c.account.GUID, con, t.kind, c.Param("script"), c.header("If-Match"), spec, g.audit(c, http.StatusOK))
	if err != nil {
		return nil, metadataError(err)
	}
	g.committed(c)
	return c.scriptReply(con, http.StatusOK, s), nil
}

func (g *Gateway) deleteScript(ctx context.Context, c *call, con *catalog.Container, t scriptResource) (any, error) {
	err := g.Catalog.DeleteScript(ctx, c.account.GUID, con, t.kind, c.Param("script"), c.header("If-Match"), g.audit(c, http.StatusNoContent))
	if err != nil {
		return nil, metadataError(err)
	}
	g.committed(c)
	return c.reply(http.StatusNoContent, chargeMetadataWrite, "", nil), nil
}

// Values of a trigger, as they are shown.
var (
	triggerTypes      = []string{"Pre", "Post"}
	triggerOperations = []string{"All", "Create", "Update", "Delete", "Replace", "Upsert"}
)

func canonical(s string, of []string) string {
	for _, v := range of {
		if strings.EqualFold(s, v) {
			return v
		}
	}
	return ""
}

// scriptBody is a script in a request.
type scriptBody struct {
	ID        string  `json:"id"`
	Body      *string `json:"body"`
	Type      string  `json:"triggerType"`
	Operation string  `json:"triggerOperation"`
}

func (in *scriptBody) spec(k catalog.ScriptKind) (spec catalog.ScriptSpec, err error) {
	if err := catalog.CheckName(in.ID); err != nil {
		return spec, err
	}
	if in.Body == nil {
		return spec, invalid("The input content is invalid because the required properties - 'body; ' - are missing")
	}
	spec = catalog.ScriptSpec{Name: in.ID, Body: *in.Body}
	if k == catalog.Trigger {
		if spec.Type = canonical(in.Type, triggerTypes); spec.Type == "" {
			return spec, invalid("The value '%s' of the property 'triggerType' is invalid; it is Pre or Post.", in.Type)
		}
		if spec.Operation = canonical(in.Operation, triggerOperations); spec.Operation == "" {
			return spec, invalid("The value '%s' of the property 'triggerOperation' is invalid; it is %s.", in.Operation, strings.Join(triggerOperations, ", "))
		}
	}
	return spec, nil
}

// ParseScript reads a script's JSON. It does not look at the script itself: see CheckScript.
func ParseScript(raw json.RawMessage, k catalog.ScriptKind) (spec catalog.ScriptSpec, err error) {
	var in scriptBody
	if err := json.Unmarshal(raw, &in); err != nil {
		return spec, invalid("The script is no JSON object with texts as its properties.")
	}
	return in.spec(k)
}

// CheckScript refuses what does not compile.
func (g *Gateway) CheckScript(ctx context.Context, spec catalog.ScriptSpec) error {
	if g.Scripts == nil {
		return notImplemented("Server-side scripts")
	}
	return scriptError(g.Scripts.Check(ctx, spec.Body))
}

// scriptSpec reads the body of a script's creation or replacement.
func (g *Gateway) scriptSpec(ctx context.Context, c *call, t scriptResource) (spec catalog.ScriptSpec, err error) {
	var in scriptBody
	if err := c.decode(&in); err != nil {
		return spec, err
	}
	if spec, err = in.spec(t.kind); err != nil {
		return spec, err
	}
	return spec, g.CheckScript(ctx, spec)
}

// scriptError words what a script is to blame for.
func scriptError(err error) error {
	var e *scripts.Error
	if !errors.As(err, &e) {
		return err
	}
	said := func(format string) string {
		return strings.NewReplacer("{message}", e.Message, "{stack}", e.Stack).Replace(format)
	}
	number := e.Number
	var text string
	switch e.Reason {
	case scripts.Compile:
		number, text = subScriptCompile, said("Encountered exception while compiling Javascript. Exception = {message}")
	case scripts.TooLong:
		f := fault.New(fault.Timeout, "RequestTimeout", "%s", oneError("The script was stopped: "+e.Message+" Use continuation to run it in parts."))
		return f.WithCause(err)
	case scripts.TooMuch:
		text = said("The script was stopped: {message}")
	default:
		text = said("Encountered exception while executing function. Exception = {message}\r\nStack trace: {message}{stack}")
	}
	if number == 0 {
		number = http.StatusBadRequest
	}
	return withSub(invalid("%s", oneError(text)), number).WithCause(err)
}

// oneError is an error's text as the back end words it.
func oneError(text string) []byte {
	b, _ := json.Marshal(map[string][]string{"Errors": {text}}) // strings always marshal
	return b
}
