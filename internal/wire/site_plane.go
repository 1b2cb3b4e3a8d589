package wire

import (
	"bytes"
	"html/template"
	"net/http"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// sitePlane is for hosts that browsers visit: a site's answers are the site's own, so that only error pages are ours, and the correlation id where
// the site has not set one.
type sitePlane struct{ base }

var sitePage = template.Must(template.New("error").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Status}} {{.Title}}</title></head>
<body><h1>{{.Title}}</h1><p>{{.Message}}</p><p><small>{{.Status}} {{.Code}} &middot; request {{.RequestID}}</small></p></body></html>
`))

func (sitePlane) headers(http.Header, *Request) {}

func (sitePlane) failure(r *Request, f *fault.Error, _ time.Time) any {
	var b bytes.Buffer
	_ = sitePage.Execute(&b, struct { // a bytes.Buffer and fields that exist do not fail
		Status                          int
		Title, Message, Code, RequestID string
	}{f.Kind.Status(), http.StatusText(f.Kind.Status()), f.Message, f.Code, r.RequestID})
	return b.Bytes()
}
