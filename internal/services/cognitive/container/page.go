package container

import (
	"bytes"
	"html/template"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const homePage = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.}} container</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; color: #1b1a19; background: #faf9f8 }
main { max-width: 42rem; margin: 12vh auto; padding: 0 1.5rem }
h1 { font-size: 1.7rem; font-weight: 600 }
a { color: #0062ad }
li { margin: .5rem 0 }
</style>
</head>
<body>
<main>
<h1>The {{.}} container is running</h1>
<ul>
<li><a href="/swagger">Service API Description</a>: every operation, to read and to try out</li>
<li><a href="/ready">Ready</a>: whether the model is loaded</li>
<li><a href="/status">Status</a>: whether the key is good</li>
</ul>
<p>Texts and images stay here. Only how many transactions were done is reported to the billing endpoint.</p>
</main>
</body>
</html>
`

// home serves the home page.
func home(title string) (func(w http.ResponseWriter, r *wire.Request) error, error) {
	t, err := template.New("home").Parse(homePage)
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	if err := t.Execute(&page, title); err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter, _ *wire.Request) error {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_, _ = w.Write(page.Bytes()) // a client that hung up is no error of ours
		return nil
	}, nil
}
