package reach

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/pki"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// plainSealer keeps the test free of a key file; what seal does is tested there.
type plainSealer struct{}

func (plainSealer) Seal(_ string, _, b []byte) ([]byte, error) { return b, nil }
func (plainSealer) Open(_ string, _, b []byte) ([]byte, error) { return b, nil }

// fixedMAC derives distinguishable values without a key.
type fixedMAC struct{}

func (fixedMAC) MAC(shard string, parts ...string) []byte {
	b := make([]byte, 32)
	copy(b, strings.Join(parts, "|"))
	b[31] = byte(len(shard))
	return b
}

// stand is a proxy before a front door that echoes what it saw.
type stand struct {
	proxy     string
	processes *Processes
	roots     *x509.CertPool
}

func newStand(t *testing.T, pass bool) stand {
	t.Helper()
	hosts := wire.Hosts{Suffix: "own.test", Port: 8443}
	ca, err := pki.Open(t.TempDir(), hosts.Suffixes(), plainSealer{}, clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "host=%s process=%s proxyauth=%q", r.Host, wire.ProcessFrom(r.Context()), r.Header.Get("Proxy-Authorization"))
	})
	sites := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "site host=%s uri=%s url=%s process=%s tls=%v proxyauth=%q", r.Host, r.RequestURI, r.URL, wire.ProcessFrom(r.Context()), r.TLS != nil, r.Header.Get("Proxy-Authorization"))
	})
	log := slog.New(slog.DiscardHandler)
	door := NewFrontDoor(echo, ca.TLS(func(n string) bool { _, ok := hosts.Resolve(n); return ok }), log)
	processes := NewProcesses(fixedMAC{})
	proxy := (&Proxy{Hosts: hosts, Processes: processes, Door: door, Plain: echo, Sites: sites, Pass: pass, Log: log}).Prepare()
	doorL, proxyL := loopbackListener(t), loopbackListener(t)
	done := make(chan error, 2)
	go func() { done <- door.Serve(doorL) }()
	go func() { done <- proxy.Serve(proxyL) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = proxy.Shutdown(ctx)
		_ = door.Shutdown(ctx)
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	roots := x509.NewCertPool()
	roots.AddCert(ca.Root)
	return stand{proxyL.Addr().String(), processes, roots}
}

func loopbackListener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (s stand) client(t *testing.T, c Credential) *http.Client {
	t.Helper()
	u := &url.URL{Scheme: "http", Host: s.proxy}
	if c.User != "" {
		u.User = url.UserPassword(c.User, c.Secret)
	}
	tr := &http.Transport{Proxy: http.ProxyURL(u), TLSClientConfig: &tls.Config{RootCAs: s.roots}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

func get(t *testing.T, c *http.Client, u string) (status int, body string, err error) {
	t.Helper()
	resp, err := c.Get(u)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func TestProxy_TunnelKnowsTheProcess(t *testing.T) {
	s := newStand(t, false)
	cred, release := s.processes.Start("/subscriptions/s/site1")
	status, body, err := get(t, s.client(t, cred), "https://kv1.vault.azure.net/secrets")
	if err != nil || status != 200 {
		t.Fatalf("GET = %d, %v", status, err)
	}
	if want := `host=kv1.vault.azure.net process=/subscriptions/s/site1 proxyauth=""`; body != want {
		t.Errorf("front door saw %s, want %s", body, want)
	}
	status, body, err = get(t, s.client(t, cred), "http://169.254.169.254/metadata/identity/oauth2/token")
	if want := `host=169.254.169.254 process=/subscriptions/s/site1 proxyauth=""`; err != nil || status != 200 || body != want {
		t.Errorf("IMDS = %d %s, %v; want %s", status, body, err, want)
	}
	release()
	if _, _, err := get(t, s.client(t, cred), "https://kv1.vault.azure.net/"); err == nil {
		t.Error("credentials of an ended process still open tunnels")
	}
}

func TestProxy_Refusals(t *testing.T) {
	s := newStand(t, false)
	good := s.processes.Environment()
	for _, tt := range []struct {
		name string
		cred Credential
		url  string
		want string
	}{
		{"no credentials", Credential{}, "https://kv1.vault.azure.net/", "Proxy credentials missing or unknown"},
		{"wrong secret", Credential{good.User, "0000"}, "https://kv1.vault.azure.net/", "Proxy credentials missing or unknown"},
		{"unknown user", Credential{"someone", good.Secret}, "https://kv1.vault.azure.net/", "Proxy credentials missing or unknown"},
		{"foreign host", good, "https://example.com/", "Host is not served here"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := get(t, s.client(t, tt.cred), tt.url)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
		})
	}
	for _, u := range []string{"http://kv1.vault.azure.net/", "http://example.com/"} {
		if status, _, err := get(t, s.client(t, good), u); err != nil || status != http.StatusForbidden {
			t.Errorf("GET %s = %d, %v; want 403", u, status, err)
		}
	}
}

// A client that opens a tunnel to the metadata service and speaks plain HTTP in it, as some Node clients do.
func TestProxy_PlainHTTPInsideTunnel(t *testing.T) {
	s := newStand(t, false)
	cred := s.processes.Environment()
	c, err := net.Dial("tcp", s.proxy)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	req, _ := http.NewRequest("CONNECT", "http://169.254.169.254:80", nil)
	req.Host = "169.254.169.254:80"
	auth, _ := http.NewRequest("GET", "http://x", nil)
	auth.SetBasicAuth(cred.User, cred.Secret)
	req.Header.Set("Proxy-Authorization", auth.Header.Get("Authorization"))
	if err := req.Write(c); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	if resp, err := http.ReadResponse(r, req); err != nil || resp.StatusCode != 200 {
		t.Fatalf("CONNECT: %v, %v", resp, err)
	}
	for range 2 {
		fmt.Fprint(c, "GET /metadata HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		if !strings.HasPrefix(string(b), "host=169.254.169.254") {
			t.Errorf("inside the tunnel: %q", b)
		}
	}
}

// Sites answer by plain HTTP too, asked in either way; other hosts of ours don't.
func TestProxy_SitesByPlainHTTP(t *testing.T) {
	s := newStand(t, false)
	cred, release := s.processes.Start("/subscriptions/s/site1")
	defer release()
	for host, want := range map[string]string{
		"web1.azurewebsites.net":     `site host=web1.azurewebsites.net uri=/a?b=%20c url=/a?b=%20c process=/subscriptions/s/site1 tls=false proxyauth=""`,
		"web1.sites.own.test:80":     `site host=web1.sites.own.test:80 uri=/a?b=%20c url=/a?b=%20c process=/subscriptions/s/site1 tls=false proxyauth=""`,
		"kv1.vault.azure.net":        "",
		"web1.scm.azurewebsites.net": "",
	} {
		status, body, err := get(t, s.client(t, cred), "http://"+host+"/a?b=%20c")
		if err != nil {
			t.Fatal(err)
		}
		if want == "" && status != 403 || want != "" && (status != 200 || body != want) {
			t.Errorf("%s = %d %s, want %s", host, status, body, want)
		}
	}
	c, err := net.Dial("tcp", s.proxy)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	auth := base64.StdEncoding.EncodeToString([]byte(cred.User + ":" + cred.Secret))
	fmt.Fprintf(c, "CONNECT web1.azurewebsites.net:80 HTTP/1.1\r\nHost: web1.azurewebsites.net:80\r\nProxy-Authorization: Basic %s\r\n\r\n", auth)
	in := bufio.NewReader(c)
	if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != 200 {
		t.Fatalf("CONNECT = %v, %v", resp, err)
	}
	fmt.Fprint(c, "GET /x HTTP/1.1\r\nHost: web1.azurewebsites.net\r\nConnection: close\r\n\r\n")
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if want := "site host=web1.azurewebsites.net uri=/x url=/x process=/subscriptions/s/site1"; !strings.HasPrefix(string(body), want) {
		t.Errorf("inside a tunnel: %s, want %s", body, want)
	}
}

func TestProxy_PassThrough(t *testing.T) {
	s := newStand(t, true)
	far := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "far") })}
	l := loopbackListener(t)
	go func() { _ = far.Serve(l) }()
	defer far.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	// Go does not send 127.0.0.1 to a proxy from the environment, but does so with a fixed one.
	status, body, err := get(t, s.client(t, s.processes.Environment()), "http://127.0.0.1:"+port+"/")
	if err != nil || status != 200 || body != "far" {
		t.Errorf("pass-through = %d %q, %v", status, body, err)
	}
}

// Clients send localhost to a proxy too, and mean their own machine: it is reached without passing through being allowed.
func TestProxy_RelaysLoopback(t *testing.T) {
	s := newStand(t, false)
	near := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "host=%s auth=%q first\n", r.Host, r.Header.Get("Proxy-Authorization"))
		w.(http.Flusher).Flush()
		if r.URL.Path == "/events" {
			<-r.Context().Done() // the first event must arrive although the answer has no end
		}
	})}
	l := loopbackListener(t)
	go func() { _ = near.Serve(l) }()
	defer near.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c := s.client(t, s.processes.Environment())
	for _, host := range []string{"localhost:" + port, "app.localhost:" + port, "127.0.0.1:" + port} {
		status, body, err := get(t, c, "http://"+host+"/")
		if want := "host=" + host + ` auth="" first` + "\n"; err != nil || status != 200 || body != want {
			t.Errorf("http://%s = %d %q, %v; want %q", host, status, body, err, want)
		}
	}
	resp, err := c.Get("http://localhost:" + port + "/events")
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || !strings.Contains(line, "first") {
		t.Errorf("the first event: %q, %v", line, err)
	}
	resp.Body.Close()

	secure := httptest.NewTLSServer(near.Handler)
	defer secure.Close()
	_, port, _ = net.SplitHostPort(secure.Listener.Addr().String())
	c.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true // its certificate is httptest's
	if status, _, err := get(t, c, "https://localhost:"+port+"/"); err != nil || status != 200 {
		t.Errorf("https through a tunnel = %d, %v", status, err)
	}
	if _, _, err := get(t, c, "https://localhost:1/"); err == nil || !strings.Contains(err.Error(), "did not answer") {
		t.Errorf("a port where nothing listens: %v", err)
	}
	for _, u := range []string{"http://localhost.example.com:" + port + "/", "http://192.0.2.1:" + port + "/", "http://notlocalhost:" + port + "/"} {
		if status, _, err := get(t, c, u); err != nil || status != http.StatusForbidden {
			t.Errorf("%s = %d, %v; want 403", u, status, err)
		}
	}
}

func TestEnvironment_WithoutProxy(t *testing.T) {
	env := Environment{Root: "/r", Bundle: "/b", ClientID: "c"}
	for _, v := range env.Vars() {
		if strings.HasSuffix(strings.ToLower(v.Name), "_proxy") {
			t.Errorf("%s=%s without a proxy", v.Name, v.Value)
		}
	}
	if got := strings.Join(env.Environ(), "\n"); !strings.Contains(got, "SSL_CERT_FILE=/b\n") {
		t.Errorf("the CA variables are gone:\n%s", got)
	}
}

func TestEnvironment_LeavesEmptyOut(t *testing.T) {
	env := Environment{Proxy: "127.0.0.1:1", Credential: Credential{"u", "s"}, Root: "/r", Bundle: "/b"}
	got := strings.Join(env.Environ(), "\n")
	if strings.Contains(got, "AZURE_CLIENT_SECRET") || strings.Contains(got, "AZURE_CONFIG_DIR") {
		t.Errorf("empty values were printed:\n%s", got)
	}
	if !strings.Contains(got, "HTTPS_PROXY=http://u:s@127.0.0.1:1\n") || !strings.Contains(got, "NODE_EXTRA_CA_CERTS=/r\n") {
		t.Errorf("environment lacks the proxy or the CA:\n%s", got)
	}
}
