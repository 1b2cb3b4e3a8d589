package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Versions of the operations that pages are made of.
const (
	subscriptionsVersion = "2022-12-01"
	alertsVersion        = "2022-01-01"
)

const (
	maxAnswer = 32 << 20 // bytes of one answer
	maxPages  = 50       // of one list
)

// call asks Azure Resource Manager as the signed-in user. The path begins with "/" and has its query; out may be nil.
func (s *Service) call(ctx context.Context, r *wire.Request, who *session, method, path string, body, out any) error {
	return s.ask(ctx, r, who, method, path, nil, body, out)
}

// ask is call with more headers.
func (s *Service) ask(ctx context.Context, r *wire.Request, who *session, method, path string, more http.Header, body, out any) error {
	token, err := s.bearer(ctx, r, who)
	if err != nil {
		return err
	}
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, r.URL(wire.HostARM, "")+path, in)
	if err != nil {
		return fault.New(fault.Invalid, "BadRequest", "The page's address names something that can't be asked for.")
	}
	maps.Copy(req.Header, more)
	req.Header.Set("Authorization", "Bearer "+string(token))
	req.Header.Set("X-Ms-Correlation-Request-Id", r.CorrelationID)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.deps.FrontDoor.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return refusal(resp.StatusCode, b)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", method, path, err)
	}
	return nil
}

// refusal is what the service said, for the page.
func refusal(status int, body []byte) error {
	var e struct {
		Error struct{ Code, Message string }
	}
	_ = json.Unmarshal(body, &e)
	if e.Error.Code == "" {
		e.Error.Code, e.Error.Message = "Failed", http.StatusText(status)
	}
	kind := fault.BadGateway
	switch status {
	case http.StatusBadRequest:
		kind = fault.Invalid
	case http.StatusUnauthorized:
		kind = fault.Unauthenticated
	case http.StatusForbidden:
		kind = fault.Forbidden
	case http.StatusNotFound:
		kind = fault.NotFound
	case http.StatusConflict:
		kind = fault.Conflict
	case http.StatusPreconditionFailed:
		kind = fault.Precondition
	case http.StatusServiceUnavailable:
		kind = fault.Unavailable
	case http.StatusNotImplemented:
		kind = fault.NotImplemented
	}
	return fault.New(kind, e.Error.Code, "%s", e.Error.Message)
}

// list reads all pages of a list. more is true where there were too many.
func list[T any](ctx context.Context, s *Service, r *wire.Request, who *session, path string) (all []T, more bool, err error) {
	for range maxPages {
		var p struct {
			Value    []T    `json:"value"`
			NextLink string `json:"nextLink"`
		}
		if err := s.call(ctx, r, who, http.MethodGet, path, nil, &p); err != nil {
			return nil, false, err
		}
		all = append(all, p.Value...)
		if p.NextLink == "" {
			return all, false, nil
		}
		next, err := url.Parse(p.NextLink)
		if err != nil {
			return nil, false, fmt.Errorf("next page of %s: %w", path, err)
		}
		path = next.RequestURI()
	}
	return all, true, nil
}

// subscription is one the user can see.
type subscription struct {
	ID   string `json:"subscriptionId"`
	Name string `json:"displayName"`
}

func (s *Service) subscriptions(ctx context.Context, r *wire.Request, who *session) ([]subscription, error) {
	all, _, err := list[subscription](ctx, s, r, who, "/subscriptions?api-version="+subscriptionsVersion)
	return all, err
}

// alertID reports whether a text is the id of an alert, so that a page can't be led to ask for something else.
func alertID(id string) bool {
	lower := strings.ToLower(id)
	return strings.HasPrefix(lower, "/subscriptions/") && strings.Contains(lower, "/providers/microsoft.security/locations/") && strings.Contains(lower, "/alerts/") &&
		!strings.ContainsAny(id, "?#%\\") && !strings.Contains(id, "..")
}
