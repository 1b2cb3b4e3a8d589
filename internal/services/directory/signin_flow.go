package directory

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"net/url"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// flowLife is how long a sign-in page may stay open.
const flowLife = time.Hour

// flowKey binds a sealed flow to its use.
var flowKey = []byte("flow")

// sealFlow makes the hidden field that carries a request from page to page. The platform keeps nothing of a sign-in that has not succeeded.
func (s *Service) sealFlow(req *authRequest) (string, error) {
	b, err := json.Marshal(req)
	if err != nil {
		return "", fmt.Errorf("encode flow: %w", err)
	}
	sealed, err := s.Sealer.Seal(signinShard(""), flowKey, b)
	if err != nil {
		return "", fmt.Errorf("seal flow: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

func (s *Service) openFlow(text string) (*authRequest, error) {
	stale := oauth(fault.Invalid, 165000, "invalid_request", "This sign-in page is no longer good. Go back to the application and start over.")
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, stale
	}
	b, err := s.Sealer.Open(signinShard(""), flowKey, sealed)
	if err != nil {
		return nil, stale
	}
	var req authRequest
	if err := json.Unmarshal(b, &req); err != nil {
		return nil, stale
	}
	if s.Clock.Now().Sub(req.Begun) > flowLife {
		return nil, stale
	}
	return &req, nil
}

// canary makes the token by which a form of ours is told from one on another's page: a MAC of what only this browser has. It gives the browser that
// cookie if it has none.
func (s *Service) canary(r *wire.Request, form string) string {
	var value string
	if c, err := r.HTTP.Cookie(canaryCookie); err == nil && len(c.Value) == 22 {
		value = c.Value
	} else {
		b := make([]byte, 16)
		_, _ = rand.Read(b) // never fails
		value = base64.RawURLEncoding.EncodeToString(b)
		setCookie(r, canaryCookie, value, 0)
	}
	return s.canaryFor(value, form)
}

func (s *Service) canaryFor(cookie, form string) string {
	return hex.EncodeToString(s.Sealer.MAC(signinShard(""), "canary", cookie, form))
}

// checkCanary demands that the form came from a page this browser was given.
func (s *Service) checkCanary(r *wire.Request, form, canary string) error {
	c, err := r.HTTP.Cookie(canaryCookie)
	if err != nil || !hmac.Equal([]byte(canary), []byte(s.canaryFor(c.Value, form))) {
		return oauth(fault.Invalid, 165000, "invalid_request",
			"Invalid Request: Request tokens do not match for the user context. Cookies must be allowed. Go back to the application and start over.")
	}
	return nil
}

// pageForm reads a form posted by a page.
func pageForm(r *wire.Request) (url.Values, error) {
	media, _, err := mime.ParseMediaType(r.HTTP.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil, malformed("The body must be application/x-www-form-urlencoded.")
	}
	values, err := url.ParseQuery(string(r.Body))
	if err != nil {
		return nil, malformed("The body is not a well-formed form.")
	}
	return values, nil
}

// postedFlow reads a posted form with its flow, after its canary, and the client as it is now.
func (s *Service) postedFlow(ctx context.Context, r *wire.Request) (url.Values, *authRequest, *Application, error) {
	form, err := pageForm(r)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := s.checkCanary(r, form.Get("ctx"), form.Get("canary")); err != nil {
		return nil, nil, nil, err
	}
	req, err := s.openFlow(form.Get("ctx"))
	if err != nil {
		return nil, nil, nil, err
	}
	app, err := s.clientApp(ctx, req.Segment, req.ClientID)
	return form, req, app, err
}

// page makes a handler answer errors as a page for people. A request that is no form of a browser keeps the token service's JSON.
func (s *Service) page(h wire.Handler) wire.Handler {
	return func(ctx context.Context, r *wire.Request) (any, error) {
		v, err := h(ctx, r)
		if err == nil {
			return v, nil
		}
		if r.HTTP.Method == "POST" {
			if _, bad := pageForm(r); bad != nil {
				return nil, bad
			}
		}
		f := fault.As(err)
		if f.Kind == fault.Internal {
			return nil, err
		}
		return s.errorPage(r, f)
	}
}
