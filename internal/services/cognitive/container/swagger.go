package container

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// swaggerPolicy keeps the page from reaching for anything but this container.
const swaggerPolicy = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"

// swagger serves the page and the documents. Everything is in the program: it works without a network.
func swagger(a *api.API) func(w http.ResponseWriter, r *wire.Request) error {
	ui := swaggerPage(a)
	return func(w http.ResponseWriter, r *wire.Request) error {
		path := r.Param("path")
		h := w.Header()
		switch {
		case path == "" || path == "index.html":
			h.Set("Content-Security-Policy", swaggerPolicy)
			h.Set("Cache-Control", "no-cache")
			page := *r.HTTP
			page.URL = &url.URL{Path: "/swagger/"}
			ui.ServeHTTP(w, &page)
			return nil
		case strings.HasSuffix(path, "/swagger.json"):
			return writeDocument(w, a, strings.TrimSuffix(path, "/swagger.json"))
		}
		ui.ServeHTTP(w, r.HTTP)
		return nil
	}
}

func writeDocument(w http.ResponseWriter, a *api.API, name string) error {
	for i, d := range a.Documents {
		if strings.EqualFold(d.Name, name) || i == 0 && strings.EqualFold(name, "v1") {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			_, _ = w.Write(d.JSON) // a client that hung up is no error of ours
			return nil
		}
	}
	return fault.New(fault.NotFound, "404", "Resource not found")
}

func swaggerPage(a *api.API) http.Handler {
	type entry struct {
		URL  string `json:"url"`
		Name string `json:"name"`
	}
	list := make([]entry, len(a.Documents))
	for i, d := range a.Documents {
		list[i] = entry{"/swagger/" + d.Name + "/swagger.json", d.Title}
	}
	c := swgui.Config{Title: a.Title, BasePath: "/swagger/", ShowTopBar: len(list) > 1, SettingsUI: map[string]string{"validatorUrl": "null"}}
	if len(list) > 0 {
		c.SwaggerJSON = list[0].URL
	}
	if len(list) > 1 {
		urls, err := json.Marshal(list)
		if err == nil {
			c.SettingsUI["urls"] = string(urls)
		}
	}
	return v5emb.NewHandlerWithConfig(c)
}
