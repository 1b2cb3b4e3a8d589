package cognitive

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// validate holds a container's swagger document against itself and against what the container answers: to the example of each operation, and to requests that are
// wrong as a whole or in one document.
func validate(t *testing.T, base string, raw []byte) {
	t.Helper()
	var two openapi2.T
	if err := json.Unmarshal(raw, &two); err != nil {
		t.Fatal(err)
	}
	doc, err := openapi2conv.ToV3(&two)
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = openapi3.Servers{{URL: base + two.BasePath}}
	if err := doc.Validate(t.Context(), openapi3.DisableExamplesValidation()); err != nil {
		t.Errorf("%s: %v", two.BasePath, err)
	}
	router, err := legacy.NewRouter(doc, openapi3.DisableExamplesValidation())
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range two.Paths {
		example := exampleOf(t, &two, item.Post)
		suffix := "?showStats=true"
		if strings.Contains(path, "analyze-text") {
			suffix += "&api-version=2023-04-01"
		}
		if two.BasePath == "/text/analytics/v2.0" {
			suffix = ""
		}
		for _, body := range [][]byte{example, bytes.Replace(example, []byte("Bonjour tout le monde"), nil, 1), []byte(`{"documents":[]}`), []byte(`{`)} {
			check(t, router, base+two.BasePath+path+suffix, body, bytes.Equal(body, example))
		}
	}
}

func exampleOf(t *testing.T, doc *openapi2.T, op *openapi2.Operation) []byte {
	t.Helper()
	for _, p := range op.Parameters {
		if p.In != "body" {
			continue
		}
		name := strings.TrimPrefix(p.Schema.Ref, "#/definitions/")
		b, err := json.Marshal(doc.Definitions[name].Value.Example)
		if err != nil || string(b) == "null" {
			t.Fatalf("%s has no example: %v", name, err)
		}
		return b
	}
	t.Fatal("no body")
	return nil
}

// check sends a request and validates the answer by the document.
func check(t *testing.T, router routers.Router, url string, body []byte, good bool) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || good != (resp.StatusCode == 200) && good {
		t.Fatalf("%s %s: %d %v %s", url, body, resp.StatusCode, err, answer)
	}
	route, params, err := router.FindRoute(req)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: route, PathParams: params},
		Status:                 resp.StatusCode, Header: resp.Header, Body: io.NopCloser(bytes.NewReader(answer)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		t.Errorf("%s %s\nanswered %s\n%v", url, body, answer, err)
	}
}
