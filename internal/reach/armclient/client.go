package armclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// maxAnswer bounds what is read of one answer.
const maxAnswer = 256 << 20

// Client sends lines to the platform as an application. It dials the front door whatever the host name is, and trusts the platform's root alone.
type Client struct {
	Hosts  wire.Hosts
	Tenant string
	AppID  string
	Secret string

	http *http.Client
}

// NewClient returns a client that reaches the front door at frontDoor (host:port) and trusts the root in the file.
func NewClient(frontDoor, root string, hosts wire.Hosts) (*Client, error) {
	pem, err := os.ReadFile(root)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", root)
	}
	var d net.Dialer
	return &Client{Hosts: hosts, http: &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return d.DialContext(ctx, network, frontDoor)
			},
			TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// StatusError is an answer with an error status. The answer itself was printed.
type StatusError struct {
	Method, Path, Status string
}

// Error implements error.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s %s was answered %s", e.Method, e.Path, e.Status)
}

// resources are what tokens are asked for, by the host they go to.
var resources = map[wire.HostKind]string{
	wire.HostARM: "https://management.core.windows.net/", wire.HostGraph: "https://graph.microsoft.com", wire.HostVault: "https://vault.azure.net",
}

// Token gets a token for the resource, as from the token endpoint: an error tells its error_description.
func (c *Client) Token(ctx context.Context, resource string) (string, error) {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {c.AppID}, "client_secret": {c.Secret}, "scope": {strings.TrimSuffix(resource, "/") + "/.default"},
	}
	if strings.HasSuffix(resource, "/") { // the audience keeps its slash
		form.Set("scope", resource+"/.default")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://login.microsoftonline.com/"+url.PathEscape(c.Tenant)+"/oauth2/v2.0/token",
		strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var out struct {
		Token       string `json:"access_token"`
		Description string `json:"error_description"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&out); err != nil {
		return "", fmt.Errorf("the token endpoint answered %s: %w", resp.Status, err)
	}
	if out.Token == "" {
		return "", fmt.Errorf("sign in as application %s: %s", c.AppID, out.Description)
	}
	return out.Token, nil
}

// Do sends the line and prints the answer to out: its JSON indented, with Verbose the request and the answer's head before it. An answer with an error status
// is printed too, and is a *StatusError.
func (c *Client) Do(ctx context.Context, l Line, out io.Writer) error {
	h, ok := c.Hosts.Resolve(l.URL.Host)
	resource := resources[h.Kind]
	if !ok || resource == "" {
		return fmt.Errorf("%w: the host %s is not one that this platform takes a token of Resource Manager, Graph or Key Vault for", ErrUsage, l.URL.Host)
	}
	var body io.Reader
	if l.Body != nil {
		body = bytes.NewReader(l.Body)
	}
	req, err := http.NewRequestWithContext(ctx, l.Verb, l.URL.String(), body)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "ARMClient/1.9 (bulkhead)")
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range l.Header {
		req.Header[name] = values
	}
	if req.Header.Get("Authorization") == "" {
		bearer, err := c.Token(ctx, resource)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	if l.Verbose {
		printRequest(out, req, l.Body)
	}
	began := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if l.Verbose {
		fmt.Fprintf(out, "---------- Response (%d ms) ------------\n\n%s %s\n", time.Since(began).Milliseconds(), resp.Proto, resp.Status)
		printHeader(out, resp.Header)
		fmt.Fprintln(out)
	}
	if len(b) > 0 {
		out.Write(pretty(b))
	}
	if resp.StatusCode >= 400 {
		return &StatusError{l.Verb, l.URL.Path, resp.Status}
	}
	return nil
}

func printRequest(out io.Writer, r *http.Request, body []byte) {
	fmt.Fprintf(out, "---------- Request -----------------------\n\n%s %s HTTP/1.1\nHost: %s\n", r.Method, r.URL.RequestURI(), r.URL.Host)
	shown := r.Header.Clone()
	shown.Set("Authorization", "Bearer ...") // the token stays out of terminals and logs
	printHeader(out, shown)
	fmt.Fprintln(out)
	if len(body) > 0 {
		out.Write(pretty(body))
		fmt.Fprintln(out)
	}
}

func printHeader(out io.Writer, h http.Header) {
	names := make([]string, 0, len(h))
	for n := range h {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		for _, v := range h[n] {
			fmt.Fprintf(out, "%s: %s\n", n, v)
		}
	}
}

// pretty indents JSON and leaves all else as it is, with a line break at its end.
func pretty(b []byte) []byte {
	var out bytes.Buffer
	if err := json.Indent(&out, bytes.TrimSpace(b), "", "  "); err != nil {
		out.Reset()
		out.Write(bytes.TrimRight(b, "\n"))
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// Answer tells what a sign-in verb asks for. There is nothing to sign in to or to keep: every line signs in anew.
func (c *Client) Answer(ctx context.Context, l Line, out io.Writer) error {
	switch l.Verb {
	case "login", "azlogin", "listcache":
		_, err := fmt.Fprintf(out, "Signed in as application %s of tenant %s. Another one: bulkhead armclient --as CLIENT_ID ...\n", c.AppID, c.Tenant)
		return err
	case "clearcache":
		_, err := fmt.Fprintln(out, "Nothing is cached.")
		return err
	case "token":
		return c.printToken(ctx, l.Args, out)
	default: // upn and spn carry a password on the command line, where every user of the machine reads it
		return errors.New("armclient " + l.Verb + " is not taken: a secret on a command line is read by everyone. " +
			"Use bulkhead armclient --as CLIENT_ID, or bulkhead exec --as CLIENT_ID -- bulkhead armclient ...")
	}
}

// printToken prints a token for the resource named, or of the tenant named for Resource Manager.
func (c *Client) printToken(ctx context.Context, args []string, out io.Writer) error {
	resource := resources[wire.HostARM]
	for _, a := range args {
		if strings.Contains(a, "://") {
			resource = unquote(a)
		} else {
			as := *c
			as.Tenant = unquote(a)
			c = &as
		}
	}
	bearer, err := c.Token(ctx, resource)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, bearer)
	return err
}
