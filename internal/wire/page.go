package wire

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Page is one page of a list, as ARM answers it. NextLink is an absolute URL, "" at the end.
type Page[T any] struct {
	Value    []T    `json:"value"`
	NextLink string `json:"nextLink,omitempty"`
}

// NewPage makes a Page; an empty list is [], never null.
func NewPage[T any](items []T, nextLink string) Page[T] {
	if items == nil {
		items = []T{}
	}
	return Page[T]{items, nextLink}
}

const skipToken = "$skiptoken"

// NextLink is the absolute URL of the page after key: this request's own, by the way the client came in, with $skiptoken set.
func (r *Request) NextLink(key []byte) string {
	var b strings.Builder
	b.WriteString("https://")
	b.WriteString(r.Host.Text)
	b.WriteString(r.HTTP.URL.EscapedPath())
	sep := byte('?')
	for _, q := range r.query {
		if strings.EqualFold(q.Name, skipToken) {
			continue
		}
		b.WriteByte(sep)
		sep = '&'
		if name, ok := strings.CutPrefix(q.Name, "$"); ok {
			b.WriteByte('$')
			b.WriteString(url.QueryEscape(name))
		} else {
			b.WriteString(url.QueryEscape(q.Name))
		}
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(q.Value))
	}
	b.WriteByte(sep)
	b.WriteString(skipToken + "=")
	b.WriteString(base64.RawURLEncoding.EncodeToString(key))
	return b.String()
}

// SkipToken is the key that NextLink put into this request's $skiptoken; nil for the first page. Treat it as foreign input.
func (r *Request) SkipToken() ([]byte, error) {
	raw := r.Query(skipToken)
	if raw == "" {
		return nil, nil
	}
	key, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(raw, "="))
	if err != nil || len(key) > 1024 {
		return nil, fault.New(fault.Invalid, r.badParameter(), "The $skiptoken is not one this service gave out.")
	}
	return key, nil
}

// QueryInt reads a number from the query: def if absent, an error outside lo..hi.
func (r *Request) QueryInt(name string, def, lo, hi int) (int, error) {
	raw, ok := r.LookupQuery(name)
	if !ok || raw == "" {
		return def, nil
	}
	n, err := strconv.Atoi(raw)
	if err != nil || n < lo || n > hi {
		return 0, fault.New(fault.Invalid, r.badParameter(), "The query parameter %s must be a number from %d to %d.", name, lo, hi)
	}
	return n, nil
}

func (r *Request) badParameter() string {
	if r.Host.Kind == HostVault {
		return "BadParameter"
	}
	return "BadRequest"
}
