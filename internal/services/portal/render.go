package portal

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

//go:embed pages/*.html
var pageFiles embed.FS

// pages are the shell with each page in it. They never change.
var pages = parsePages("home", "once", "message", "overview", "alerts", "alert", "investigation", "metrics", "raisedlist", "raised", "rules", "rule", "servers", "server")

func parsePages(names ...string) map[string]*template.Template {
	funcs := template.FuncMap{"clock": clockTime, "lower": strings.ToLower, "short": short, "names": lineNames, "last": lastName, "sign": signWords, "duration": durationWords}
	all := map[string]*template.Template{}
	for _, n := range names {
		all[n] = template.Must(template.New("shell.html").Funcs(funcs).ParseFS(pageFiles, "pages/shell.html", "pages/chart.html", "pages/"+n+".html"))
	}
	return all
}

// policy lets a page load this host's own style sheet, scripts and answers to them, and nothing else. Drawings are part of the page.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// page is what a template is given.
type page struct {
	Title  string
	Who    *session // nil: nobody is signed in
	Canary string
	Room   string // which entry of the menu is open
	Path   []step // where this page is: links that lead up
	Script string // file under /static, "" for none
	Data   any
}

// step is one link of a page's path.
type step struct{ Name, Link string }

// Name is who is signed in, for the shell.
func (p page) Name() string {
	if p.Who == nil {
		return ""
	}
	return p.Who.name
}

// render answers a page.
func (s *Service) render(name string, status int, p page) (any, error) {
	if p.Who != nil {
		p.Canary = p.Who.canary
	}
	var b bytes.Buffer
	if err := pages[name].Execute(&b, p); err != nil {
		return nil, fmt.Errorf("render page %s: %w", name, err)
	}
	return wire.Reply{Status: status, Body: b.Bytes(), Header: http.Header{
		"Content-Type": {"text/html; charset=utf-8"}, "Content-Security-Policy": {policy}, "Cache-Control": {"no-store"}, "X-Frame-Options": {"DENY"},
		"Referrer-Policy": {"same-origin"}, "X-Content-Type-Options": {"nosniff"},
	}}, nil
}

// refused answers an error that a service gave as a page of the shell; others are passed on.
func (s *Service) refused(who *session, room string, err error) (any, error) {
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind == fault.Internal || f.Kind == fault.Unauthenticated {
		return nil, err
	}
	return s.render("message", f.Kind.Status(), page{Title: http.StatusText(f.Kind.Status()), Who: who, Room: room, Data: f.Code + ": " + f.Message})
}

// clockTime shows a time of the API's as people read it, in UTC.
func clockTime(v any) string {
	var t time.Time
	switch v := v.(type) {
	case time.Time:
		t = v
	case string:
		var err error
		if t, err = time.Parse(time.RFC3339Nano, v); err != nil {
			return v
		}
	}
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// short cuts a text to n characters.
func short(n int, text string) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return string(runes[:n-1]) + "…"
}
