package kill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// world is a platform with what writers write into.
type world struct {
	p     *harness.Platform
	way   harness.Way
	app   harness.App
	group string
	plan  string
	vault string // secrets go into it
	site  harness.Site

	arm, graph, secret http.Header
}

func newWorld(t *testing.T, p *harness.Platform) *world {
	t.Helper()
	w := &world{p: p, way: p.SuffixWay(t), group: p.PutGroup(t)}
	w.app = p.CreateApp(t, "", harness.Name("kill-"))
	w.vault = p.PutVault(t, w.group, "", w.policy())
	w.site = p.PutSite(t, w.group, "", map[string]string{"N": "0"})
	w.plan = w.group + "/providers/Microsoft.Web/serverfarms/plan"
	p.ARM(t, "PUT", w.plan+webVersion, map[string]any{
		"location": "westeurope", "kind": "linux", "sku": map[string]any{"name": "B1", "tier": "Basic"}, "properties": map[string]any{"reserved": true},
	})
	w.arm = harness.Bearer(p.AdminToken(t, harness.ARMResource))
	w.graph = harness.Bearer(p.AdminToken(t, "https://graph.microsoft.com"))
	w.secret = harness.Bearer(w.way.AppToken(t, w.app, w.way.VaultAudience()))
	return w
}

func (w *world) policy() harness.Policy {
	return harness.Policy{ObjectID: w.app.Principal, Secrets: harness.All}
}

const (
	groupVersion = "?api-version=2021-04-01"
	roleVersion  = "?api-version=2022-04-01"
	vaultVersion = "?api-version=2022-07-01"
	webVersion   = "?api-version=2022-03-01"
	dataVersion  = "?api-version=7.4"
)

// answer is what a writer learned; an error means that it does not know what became of its request.
type answer struct {
	status int
	body   []byte
}

func (a answer) ok() bool { return a.status >= 200 && a.status < 300 }

func (a answer) text(keys ...string) string {
	var v any
	_ = json.Unmarshal(a.body, &v)
	for _, k := range keys {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	s, _ := v.(string)
	return s
}

var errUnknown = errors.New("the answer did not come")

// send is a request that may find nobody there.
func (w *world) send(ctx context.Context, method, url string, header http.Header, body any) (answer, error) {
	var in io.Reader
	if raw, ok := body.([]byte); ok {
		in = bytes.NewReader(raw)
	} else if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		in = bytes.NewReader(b)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, in)
	if err != nil {
		return answer{}, err
	}
	req.Header = header.Clone()
	if req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := w.way.Client.Do(req)
	if err != nil {
		return answer{}, errUnknown
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, errUnknown
	}
	return answer{resp.StatusCode, b}, nil
}

// get is a request that must find somebody.
func (w *world) get(t *testing.T, method, url string, header http.Header, body any) answer {
	t.Helper()
	a, err := w.send(t.Context(), method, url, header, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return a
}
