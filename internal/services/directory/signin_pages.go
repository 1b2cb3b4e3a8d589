package directory

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

//go:embed pages/signin.html
var pageText string

//go:embed pages/signin.css
var pageStyle string

// submitScript spares the click on the page that hands an answer over by form_post. Without JavaScript there is a button.
const submitScript = "document.forms[0].submit()"

// pageTemplate is the one page; view says which of its parts show. It never changes.
var pageTemplate = template.Must(template.New("page").Parse(pageText))

// view is what a page shows.
type view struct {
	Style  template.CSS
	Title  string
	Tenant string // display name of the tenant; "" for none
	App    string // display name of the client
	Base   string // "/" + tenant segment
	Flow   string
	Canary string

	Error   string
	Login   bool   // name and password
	Name    string // filled in
	Known   string // the user who is signed in already and may go on
	Change  bool   // the password has to be changed
	Consent bool
	Device  bool // consent for another device
	Scopes  []string
	ForAll  bool // the user may consent for all users
	User    string
	Code    bool // asks for a device's code
	Done    string
	Post    *postView
	Trace   string
}

// postView hands an answer over to the client's page.
type postView struct {
	Action template.URL // a registered redirect URI
	Fields []wire.Param
	Script template.JS
}

// render answers a page. formTo is where its forms may lead besides here, by redirect or directly.
func (s *Service) render(status int, v view, formTo string) (any, error) {
	v.Style = template.CSS(pageStyle) //nolint:gosec // our own
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("render page: %w", err)
	}
	script := "'none'"
	if v.Post != nil {
		script = sourceHash(submitScript)
	}
	if formTo != "" {
		formTo = " " + formTo
	}
	return wire.Reply{Status: status, Body: b.Bytes(), Header: http.Header{
		"Content-Type": {"text/html; charset=utf-8"},
		"Content-Security-Policy": {"default-src 'none'; style-src " + sourceHash(pageStyle) + "; script-src " + script +
			"; form-action 'self'" + formTo + "; frame-ancestors 'none'; base-uri 'none'"},
		"X-Frame-Options": {"DENY"},
		"Referrer-Policy": {"no-referrer"},
	}}, nil
}

func sourceHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// errorPage tells a person what went wrong.
func (s *Service) errorPage(r *wire.Request, f *fault.Error) (any, error) {
	return s.render(f.Kind.Status(), view{
		Title: "Sign-in did not work", Error: f.Code + ": " + f.Message,
		Trace: "Trace ID: " + r.RequestID + "  Correlation ID: " + r.CorrelationID + "  Timestamp: " + s.Clock.Now().Format(time.RFC3339),
	}, "")
}

// flowView is a page with a form that goes on with req.
func (s *Service) flowView(r *wire.Request, req *authRequest, app *Application) (view, error) {
	flow, err := s.sealFlow(req)
	if err != nil {
		return view{}, err
	}
	v := view{Title: "Sign in", App: app.DisplayName, Base: "/" + req.Segment, Flow: flow, Canary: s.canary(r, flow)}
	return v, nil
}

// formTarget is where the forms of a flow lead in the end.
func (req *authRequest) formTarget() string {
	if req.Device != "" {
		return ""
	}
	return cspSource(req.Redirect)
}
