package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/store/cipherfs"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

const (
	region        = "westeurope.monitoring.azure.com"
	publisherRole = "3913510d-42f4-4e42-8a64-420c390055eb"
)

// bulkhead is the running binary. Its clients use Azure's names, which their dialer takes to the front door.
type bulkhead struct {
	cmd    *exec.Cmd
	bin    string
	dir    string
	client *http.Client
	env    map[string]string
	arm    string // tokens
	send   string
	ids    []string // of the resources
}

// startBulkhead makes a platform, puts the history into its store while it is down, and starts it again.
func startBulkhead(ctx context.Context, bin, dir string, past history) (*bulkhead, error) {
	b := &bulkhead{bin: bin, dir: dir}
	if err := b.start(ctx); err != nil {
		return nil, err
	}
	if err := b.provision(ctx); err != nil {
		b.stop()
		return nil, err
	}
	b.stop()
	if err := b.backfill(ctx, past); err != nil {
		return nil, err
	}
	if err := b.start(ctx); err != nil {
		return nil, err
	}
	return b, b.tokens(ctx)
}

func (b *bulkhead) start(ctx context.Context) error {
	b.cmd = exec.CommandContext(ctx, b.bin, "up", "--data", b.dir, "--listen", "127.0.0.1:0", "--proxy", "127.0.0.1:0", "--identity", "127.0.0.1:0", "--log-level", "error") //nolint:gosec // the caller's binary
	b.cmd.Stderr = os.Stderr
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := b.cmd.Start(); err != nil {
		return err
	}
	for s := bufio.NewScanner(out); s.Scan(); {
		if strings.HasPrefix(s.Text(), "ready ") {
			return b.connect()
		}
	}
	return fmt.Errorf("it ended before it was ready: %w", b.cmd.Wait())
}

func (b *bulkhead) connect() error {
	text, err := os.ReadFile(filepath.Join(b.dir, "run.json"))
	if err != nil {
		return err
	}
	var r struct{ FrontDoor, Root string }
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	pem, err := os.ReadFile(r.Root)
	if err != nil {
		return err
	}
	b.client = newClient(pem, r.FrontDoor)
	out, err := exec.Command(b.bin, "env", "--data", b.dir, "--format", "dotenv").Output() //nolint:gosec // the caller's binary
	if err != nil {
		return fmt.Errorf("bulkhead env: %w", err)
	}
	b.env = map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		b.env[name] = strings.Trim(value, "'")
	}
	return nil
}

// newClient keeps connections open to one address, whatever the name, by HTTP/1.1.
func newClient(root []byte, address string) *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	var d net.Dialer
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: resources, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return d.DialContext(ctx, network, address)
		},
	}}
}

// call makes a request and returns the body of a good answer.
func call(ctx context.Context, c *http.Client, method, target string, header map[string]string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %d %.300s", method, target, resp.StatusCode, out)
	}
	return out, err
}

func (b *bulkhead) token(ctx context.Context, resource string) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {b.env["AZURE_CLIENT_ID"]}, "client_secret": {b.env["AZURE_CLIENT_SECRET"]}, "resource": {resource}}.Encode()
	out, err := call(ctx, b.client, "POST", "https://login.microsoftonline.com/"+b.env["AZURE_TENANT_ID"]+"/oauth2/token", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, []byte(form))
	var t struct {
		Token string `json:"access_token"`
	}
	if err == nil {
		err = json.Unmarshal(out, &t)
	}
	return t.Token, err
}

func (b *bulkhead) tokens(ctx context.Context) (err error) {
	if b.arm, err = b.token(ctx, "https://management.azure.com/"); err != nil {
		return err
	}
	b.send, err = b.token(ctx, "https://monitoring.azure.com/")
	return err
}

// provision makes resources to measure, and lets the administrator send.
func (b *bulkhead) provision(ctx context.Context) error {
	if err := b.tokens(ctx); err != nil {
		return err
	}
	part, err := base64.RawURLEncoding.DecodeString(strings.Split(b.arm, ".")[1])
	var claims struct {
		ObjectID string `json:"oid"`
	}
	if err != nil || json.Unmarshal(part, &claims) != nil {
		return fmt.Errorf("the token has no claims: %w", err)
	}
	put := func(path, version, body string) error {
		_, err := call(ctx, b.client, "PUT", "https://management.azure.com"+path+"?api-version="+version, map[string]string{"Authorization": "Bearer " + b.arm, "Content-Type": "application/json"}, []byte(body))
		return err
	}
	group := "/subscriptions/" + b.env["AZURE_SUBSCRIPTION_ID"] + "/resourceGroups/bench"
	if err := put(group, "2021-04-01", `{"location":"westeurope"}`); err != nil {
		return err
	}
	for i := range resources {
		id := fmt.Sprintf("%s/providers/Microsoft.Insights/actionGroups/ag%d", group, i)
		if err := put(id, "2023-01-01", `{"location":"Global","properties":{"groupShortName":"ag","enabled":true}}`); err != nil {
			return err
		}
		b.ids = append(b.ids, id)
	}
	return put(group+"/providers/Microsoft.Authorization/roleAssignments/3f0e6b2c-1d5a-4c3e-9b1f-7a2d8c4e6f01", "2022-04-01",
		`{"properties":{"roleDefinitionId":"/subscriptions/`+b.env["AZURE_SUBSCRIPTION_ID"]+`/providers/Microsoft.Authorization/roleDefinitions/`+publisherRole+`","principalId":"`+claims.ObjectID+`"}}`)
}

// backfill puts the history into the store as the platform would have while it passed: nothing else takes samples that are so old.
func (b *bulkhead) backfill(ctx context.Context, past history) error {
	source, err := seal.ParseSource("")
	if err != nil {
		return err
	}
	master, err := source.Read(filepath.Join(b.dir, "master.key"))
	if err != nil {
		return err
	}
	ring, err := seal.OpenRing(filepath.Join(b.dir, "keyring"), master)
	if err != nil {
		return err
	}
	list := ring.StoreKeys()
	keys, err := cipherfs.NewKeys(list[0], list[1:]...)
	if err != nil {
		return err
	}
	st, err := pebble.Open(filepath.Join(b.dir, "store"), pebble.Options{FS: cipherfs.New(vfs.Default, keys)})
	if err != nil {
		return err
	}
	defer st.Close() //nolint:errcheck // what was added is durable
	clk := clock.NewFake(past.start())
	m, err := metrics.Open(ctx, metrics.Deps{Store: st, Clock: clk})
	if err != nil {
		return err
	}
	const step = 20
	for from := 0; from < days*24*60; from += step {
		clk.Advance(step * time.Minute)
		var samples []metrics.Sample
		for s := range servers {
			for k := range step {
				samples = append(samples, metrics.Sample{
					Series: metrics.Series{Resource: b.ids[s], Namespace: "prometheus", Name: "load"}, Time: past.start().Add(time.Duration(from+k) * time.Minute), Cell: metrics.Of(past.load(s, from+k)),
				})
			}
		}
		if refused, err := m.Add(ctx, samples); err != nil || len(refused) > 0 {
			return fmt.Errorf("history: %v %w", refused, err)
		}
		if from%(60*step) == 0 {
			if err := m.Freeze(ctx); err != nil {
				return err
			}
		}
	}
	clk.Advance(3 * time.Hour)
	return m.Freeze(ctx)
}

func (b *bulkhead) write(ctx context.Context, r int, body []byte) error {
	_, err := call(ctx, b.client, "POST", "https://"+region+b.ids[r]+"/api/v1/write", map[string]string{"Authorization": "Bearer " + b.send, "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}, body)
	return err
}

// chart asks for 30 days in hours, and checks some of them.
func (b *bulkhead) chart(ctx context.Context, past history, server int) error {
	q := url.Values{
		"api-version": {"2021-05-01"}, "metricnamespace": {"prometheus"}, "metricnames": {"load"}, "aggregation": {"Average"}, "interval": {"PT1H"},
		"timespan": {past.start().Format(time.RFC3339) + "/" + past.end.Format(time.RFC3339)},
	}
	out, err := call(ctx, b.client, "GET", "https://management.azure.com"+b.ids[server]+"/providers/Microsoft.Insights/metrics?"+q.Encode(), map[string]string{"Authorization": "Bearer " + b.arm}, nil)
	if err != nil {
		return err
	}
	var a struct {
		Value []struct {
			Timeseries []struct{ Data []struct{ Average float64 } }
		}
	}
	if err := json.Unmarshal(out, &a); err != nil || len(a.Value) != 1 || len(a.Value[0].Timeseries) != 1 {
		return fmt.Errorf("chart: %.300s: %w", out, err)
	}
	data := a.Value[0].Timeseries[0].Data
	if len(data) != days*24 {
		return fmt.Errorf("a chart of %d hours", len(data))
	}
	for h := 0; h < len(data); h += 101 {
		if want := past.average(server, h); math.Abs(data[h].Average-want) > 1e-6 {
			return fmt.Errorf("hour %d of server %d is %g, want %g", h, server, data[h].Average, want)
		}
	}
	return nil
}

// check counts what was taken of a resource.
func (b *bulkhead) check(ctx context.Context, o options) error {
	q := url.Values{
		"api-version": {"2021-05-01"}, "metricnamespace": {"prometheus"}, "metricnames": {"requests"}, "aggregation": {"Count"}, "interval": {"FULL"},
		"timespan": {time.Now().Add(-time.Hour).UTC().Format(time.RFC3339) + "/" + time.Now().Add(10*time.Minute).UTC().Format(time.RFC3339)},
	}
	out, err := call(ctx, b.client, "GET", "https://management.azure.com"+b.ids[0]+"/providers/Microsoft.Insights/metrics?"+q.Encode(), map[string]string{"Authorization": "Bearer " + b.arm}, nil)
	if want := fmt.Sprintf(`"count":%d`, o.rounds*o.stamps*o.series); err == nil && !strings.Contains(string(out), want) {
		err = fmt.Errorf("bulkhead has not %s: %.500s", want, out)
	}
	return err
}

func (b *bulkhead) process() *exec.Cmd { return b.cmd }

func (b *bulkhead) stop() {
	_ = b.cmd.Process.Signal(syscall.SIGTERM)
	_ = b.cmd.Wait()
}
