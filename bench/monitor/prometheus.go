package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/compress/snappy"
)

// prometheus is Debian's, with TLS.
type prometheus struct {
	cmd    *exec.Cmd
	client *http.Client
	url    string
	dir    string
	rules  string // its file of them
}

// startPrometheus makes blocks of the history, as large as its own compactions would have made them, and starts it with as many rules.
func startPrometheus(ctx context.Context, dir string, past history, o options) (*prometheus, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	cert, err := certificate(dir)
	if err != nil {
		return nil, err
	}
	var groups strings.Builder
	groups.WriteString("groups:\n- name: hour\n  rules:\n")
	for i := range o.rules {
		fmt.Fprintf(&groups, "  - {alert: high%d, expr: 'avg_over_time(busy{host=\"%s\"}[1h]) > 1e6'}\n", i, hostName(i))
	}
	for name, text := range map[string]string{
		"prometheus.yml": "global: {evaluation_interval: " + o.every.String() + "}\nrule_files: [rules.yml]\n",
		"rules.yml":      groups.String(), "web.yml": "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	if err := blocks(ctx, dir, past); err != nil {
		return nil, err
	}
	p := &prometheus{dir: dir, rules: groups.String(), cmd: exec.CommandContext(ctx, "prometheus", "--config.file=prometheus.yml", "--web.config.file=web.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:0",
		"--web.enable-remote-write-receiver", "--web.enable-lifecycle", "--storage.tsdb.retention.time=60d")}
	p.cmd.Dir = dir
	out, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for p.url == "" && lines.Scan() {
		if _, address, ok := strings.Cut(lines.Text(), `msg="Listening on" address=`); ok {
			p.url, p.client = "https://prometheus.bench", newClient(cert, address)
		}
	}
	if p.url == "" {
		return nil, fmt.Errorf("it ended before it listened: %w", p.cmd.Wait())
	}
	go io.Copy(io.Discard, out) //nolint:errcheck // its log must not fill the pipe
	for {
		if _, err := call(ctx, p.client, "GET", p.url+"/-/ready", nil, nil); err == nil {
			return p, nil
		}
		select {
		case <-ctx.Done():
			p.stop()
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// certificate makes one for the name that the client uses.
func certificate(dir string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, DNSNames: []string{"prometheus.bench"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, "cert.pem"), cert, 0o600); err != nil {
		return nil, err
	}
	return cert, os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)
}

// blocks writes the history by promtool.
func blocks(ctx context.Context, dir string, past history) error {
	f, err := os.Create(filepath.Join(dir, "history"))
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "# TYPE load gauge")
	for s := range servers {
		for m := range days * 24 * 60 {
			fmt.Fprintf(w, "load{host=\"%s\"} %g %d\n", hostName(s), past.load(s, m), past.start().Unix()+int64(m)*60)
		}
	}
	fmt.Fprintln(w, "# EOF")
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	c := exec.CommandContext(ctx, "promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=72h", "history", "data")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("promtool: %w: %s", err, out)
	}
	return nil
}

func hostName(i int) string { return fmt.Sprintf("server%05d", i) }

func (p *prometheus) write(ctx context.Context, _ int, body []byte) error {
	_, err := call(ctx, p.client, "POST", p.url+"/api/v1/write", map[string]string{"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf", "X-Prometheus-Remote-Write-Version": "0.1.0"}, body)
	return err
}

// take gives it the hour that rules look at: some minutes of all series at a time, oldest first, since it refuses what is an hour older than the newest.
func (p *prometheus) take(ctx context.Context, h *hour) error {
	const some = 8
	for from := 0; from < hourMinutes; from += some {
		var body []byte
		for i := range h.series {
			var values []float64
			var times []int64
			for m := from; m < min(from+some, hourMinutes); m++ {
				values, times = append(values, h.value(i, m)), append(times, h.at(m).UnixMilli())
			}
			body = appendSeries(body, []label{{"__name__", "busy"}, {"host", hostName(i)}}, values, times)
		}
		if err := p.write(ctx, 0, snappy.Encode(nil, body)); err != nil {
			return err
		}
	}
	return nil
}

func (p *prometheus) query(ctx context.Context, path string, q url.Values, data any) error {
	out, err := call(ctx, p.client, "GET", p.url+"/api/v1/"+path+"?"+q.Encode(), nil, nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(out, &struct{ Data any }{data})
}

func (p *prometheus) chart(ctx context.Context, past history, server int) error {
	var data struct {
		Result []struct{ Values [][2]any }
	}
	// A point of the window (t-1h, t] is the average of the hour's 60 minutes if t is a second before the next.
	q := url.Values{
		"query": {`avg_over_time(load{host="` + hostName(server) + `"}[1h])`}, "step": {"1h"},
		"start": {strconv.FormatInt(past.start().Unix()+3599, 10)}, "end": {strconv.FormatInt(past.end.Unix()-1, 10)},
	}
	if err := p.query(ctx, "query_range", q, &data); err != nil {
		return err
	}
	if len(data.Result) != 1 || len(data.Result[0].Values) != days*24 {
		return fmt.Errorf("a chart of %d lines", len(data.Result))
	}
	for h := 0; h < days*24; h += 101 {
		text, _ := data.Result[0].Values[h][1].(string)
		if got, err := strconv.ParseFloat(text, 64); err != nil || math.Abs(got-past.average(server, h)) > 1e-6 {
			return fmt.Errorf("hour %d of server %d is %s, want %g", h, server, text, past.average(server, h))
		}
	}
	return nil
}

// count is what an expression that gives one number gives now.
func (p *prometheus) count(ctx context.Context, expression string) (float64, error) {
	var data struct {
		Result []struct{ Value [2]any }
	}
	if err := p.query(ctx, "query", url.Values{"query": {expression}}, &data); err != nil {
		return 0, err
	}
	if len(data.Result) != 1 {
		return 0, fmt.Errorf("%s gave %d series", expression, len(data.Result))
	}
	text, _ := data.Result[0].Value[1].(string)
	return strconv.ParseFloat(text, 64)
}

func (p *prometheus) check(ctx context.Context, o options) error {
	got, err := p.count(ctx, `sum(count_over_time(requests{host=~"web00.*"}[1h]))`)
	if want := o.rounds * o.stamps * o.series; err == nil && int(got) != want {
		err = fmt.Errorf("prometheus has %g samples of a resource, want %d", got, want)
	}
	return err
}

// judging turns the rules on or off.
func (p *prometheus) judging(ctx context.Context, on bool) error {
	text := "groups: []\n"
	if on {
		text = p.rules
	}
	if err := os.WriteFile(filepath.Join(p.dir, "rules.yml"), []byte(text), 0o600); err != nil {
		return err
	}
	_, err := call(ctx, p.client, "POST", p.url+"/-/reload", nil, nil)
	return err
}

// vector asks for all that one rule over all series would look at.
func (p *prometheus) vector(ctx context.Context) error {
	var data struct{ Result []any }
	if err := p.query(ctx, "query", url.Values{"query": {"avg_over_time(busy[1h]) > 1e6"}}, &data); err != nil {
		return err
	}
	if len(data.Result) > 0 {
		return fmt.Errorf("%d series are above what none is", len(data.Result))
	}
	return nil
}

// evaluations is how often the rules were evaluated, and what the last one took by the clock.
func (p *prometheus) evaluations(ctx context.Context) (n int, took time.Duration, err error) {
	out, err := call(ctx, p.client, "GET", p.url+"/metrics", nil, nil)
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			continue
		}
		v, _ := strconv.ParseFloat(fields[1], 64)
		switch {
		case strings.HasPrefix(line, "prometheus_rule_group_iterations_total{"):
			n = int(v)
		case strings.HasPrefix(line, "prometheus_rule_group_last_duration_seconds{"):
			took = time.Duration(v * float64(time.Second))
		case strings.HasPrefix(line, "prometheus_rule_evaluation_failures_total{") && v > 0:
			return 0, 0, fmt.Errorf("%g rules failed", v)
		}
	}
	return n, took, nil
}

func (p *prometheus) process() *exec.Cmd { return p.cmd }

func (p *prometheus) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}
