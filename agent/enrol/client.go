package enrol

import (
	"bytes"
	"context"
	"crypto/rand"
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
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	login      = "https://login.microsoftonline.com/"
	management = "https://management.azure.com"
	maxAnswer  = 1 << 20
	patience   = time.Minute // for one request
)

// ErrRefused is that the platform knows this machine no more, or not with this key: trying again doesn't help.
var ErrRefused = errors.New("the platform refuses this machine")

// StatusError is an answer with an error status.
type StatusError struct {
	Status     int
	Code       string
	Message    string
	RetryAfter time.Duration // 0: it doesn't say
}

// Error implements error.
func (e *StatusError) Error() string {
	return fmt.Sprintf("the platform answered %d %s: %s", e.Status, e.Code, e.Message)
}

// HTTP makes a client that reaches the front door at an address, whatever the host name, and trusts one root alone.
func HTTP(platform string, root []byte) (*http.Client, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(root) {
		return nil, errors.New("the root certificate isn't one")
	}
	d := net.Dialer{Timeout: 10 * time.Second}
	return &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return d.DialContext(ctx, network, platform)
			},
			TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, IdleConnTimeout: 2 * patience, MaxIdleConnsPerHost: 1, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// Client talks to the platform as the machine. Not for concurrent use.
type Client struct {
	e       *Enrolment
	http    *http.Client
	token   string
	expires time.Time
}

// NewClient makes the client of an enrolment that was loaded.
func NewClient(e *Enrolment) (*Client, error) {
	root, err := os.ReadFile(filepath.Join(e.dir, fileRoot))
	if err != nil {
		return nil, err
	}
	h, err := HTTP(e.Platform, root)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(e.dir, fileRoot), err)
	}
	return &Client{e: e, http: h}, nil
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Post sends a body to one of the platform's routes for agents and decodes the answer. ErrRefused and *StatusError are among its errors; others are of the way there.
func (c *Client) Post(ctx context.Context, path, contentType string, body []byte, out any) error {
	for again := false; ; again = true {
		if err := c.signIn(ctx); err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, management+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+c.token)
		req.Header.Set("Content-Type", contentType)
		err = do(c.http, req, out)
		var s *StatusError
		if errors.As(err, &s) {
			switch {
			case s.Status == http.StatusUnauthorized && !again:
				c.token = "" // it ended early; its principal may be there all the same
				continue
			case s.Code == "MachineNotEnrolled", s.Code == "NotAMachine":
				return fmt.Errorf("%w: %s", ErrRefused, s.Message)
			}
		}
		return err
	}
}

// signIn gets a token, if there is none that is good for a while.
func (c *Client) signIn(ctx context.Context) error {
	now := time.Now()
	if c.token != "" && now.Before(c.expires) {
		return nil
	}
	endpoint := login + url.PathEscape(c.e.TenantID) + "/oauth2/v2.0/token"
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: c.e.key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return err
	}
	assertion, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: c.e.ClientID, Subject: c.e.ClientID, Audience: jwt.Audience{endpoint}, ID: rand.Text(), IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(10 * time.Minute)),
	}).Serialize()
	if err != nil {
		return err
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {c.e.ClientID}, "scope": {management + "/.default"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	}
	token, lives, err := Token(ctx, c.http, endpoint, form)
	var s *StatusError
	if errors.As(err, &s) && (s.Code == "invalid_client" || s.Code == "unauthorized_client" || s.Code == "invalid_request") && !strings.Contains(s.Message, "AADSTS700024") {
		return fmt.Errorf("%w: its resource was deleted, or enrolled with another key: %s", ErrRefused, s.Message)
	}
	if err != nil {
		return fmt.Errorf("get a token: %w", err)
	}
	c.token, c.expires = token, now.Add(lives*3/4)
	return nil
}

// Token asks a token endpoint.
func Token(ctx context.Context, h *http.Client, endpoint string, form url.Values) (token string, lives time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var out struct {
		Token   string `json:"access_token"`
		Expires int64  `json:"expires_in"`
	}
	if err := do(h, req, &out); err != nil {
		return "", 0, err
	}
	if out.Token == "" {
		return "", 0, errors.New("the token endpoint answered without a token")
	}
	return out.Token, time.Duration(out.Expires) * time.Second, nil
}

// do sends a request and decodes its answer; nil: thrown away.
func do(h *http.Client, req *http.Request, out any) error {
	resp, err := h.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return statusError(resp, b)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("the answer can't be read: %w", err)
	}
	return nil
}

// statusError reads the error of either plane: {"error":{"code","message"}} or {"error":"code","error_description":"message"}.
func statusError(resp *http.Response, b []byte) *StatusError {
	e := &StatusError{Status: resp.StatusCode, Message: resp.Status}
	var plane struct {
		Error struct{ Code, Message string } `json:"error"`
	}
	var oauth struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(b, &plane) == nil && plane.Error.Code != "" {
		e.Code, e.Message = plane.Error.Code, plane.Error.Message
	} else if json.Unmarshal(b, &oauth) == nil && oauth.Error != "" {
		e.Code, e.Message, _ = strings.Cut(oauth.Error+"\n"+oauth.Description, "\n")
		e.Message, _, _ = strings.Cut(e.Message, "\r\n")
	}
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n >= 0 {
		e.RetryAfter = time.Duration(min(n, 3600)) * time.Second
	}
	return e
}
