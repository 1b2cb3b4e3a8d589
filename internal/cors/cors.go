// Package cors decides which pages in a browser may call a service, by the rules of the Fetch standard (https://fetch.spec.whatwg.org/#http-cors-protocol).
// It is pure: a policy goes in with a request's headers, headers of the answer come out.
//
//	OPTIONS / with Origin: https://app.example and Access-Control-Request-Method: POST
//
//	200, Access-Control-Allow-Origin: https://app.example, Access-Control-Allow-Methods: POST, Vary: Origin
package cors

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Any in a list of a Policy allows all.
const Any = "*"

// Policy is what pages of other origins may do. The zero Policy allows none.
type Policy struct {
	Origins     []string // "https://app.example", or Any
	Methods     []string // or Any
	Headers     []string // of requests, or Any
	Exposed     []string // headers of answers that pages may read, or Any
	MaxAge      int      // seconds that a browser may remember a preflight; 0: it is not told
	Credentials bool     // cookies and the like may go along
}

// Split takes a comma-separated list apart.
func Split(list string) []string {
	var out []string
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// CheckOrigin tells what is wrong with an origin of a policy: it is Any, or a scheme, a host and perhaps a port.
func CheckOrigin(origin string) error {
	if origin == Any {
		return nil
	}
	if strings.Contains(origin, Any) {
		return errors.New("a wildcard stands for all origins, not for a part of one")
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || strings.TrimSuffix(origin, "/") != u.Scheme+"://"+u.Host {
		return fmt.Errorf("it is not of the form https://host or https://host:port")
	}
	return nil
}

// allows tells whether pages of the origin may call at all.
func (p *Policy) allows(origin string) bool {
	return p != nil && origin != "" && slices.ContainsFunc(p.Origins, func(o string) bool {
		return o == Any || strings.EqualFold(strings.TrimSuffix(o, "/"), origin)
	})
}

// Preflight answers a browser's question whether it may send a request of this method with these headers (Access-Control-Request-Headers). false: it may not.
func (p *Policy) Preflight(origin, method, headers string) (http.Header, bool) {
	if !p.allows(origin) || !covers(p.Methods, method, false) {
		return nil, false
	}
	for _, h := range Split(headers) {
		if !covers(p.Headers, h, true) {
			return nil, false
		}
	}
	h := http.Header{"Access-Control-Allow-Methods": {method}}
	p.mark(origin, h)
	if headers != "" {
		h.Set("Access-Control-Allow-Headers", headers)
	}
	if p.MaxAge > 0 {
		h.Set("Access-Control-Max-Age", strconv.Itoa(p.MaxAge))
	}
	h["Vary"] = []string{"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
	return h, true
}

// Answer gives the headers of an answer to a page of the origin: none if the policy does not allow it.
func (p *Policy) Answer(origin string) http.Header {
	h := http.Header{}
	if p == nil || len(p.Origins) == 0 {
		return h
	}
	h.Set("Vary", "Origin")
	if !p.allows(origin) {
		return h
	}
	p.mark(origin, h)
	if len(p.Exposed) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(p.Exposed, ","))
	}
	return h
}

func (p *Policy) mark(origin string, h http.Header) {
	if slices.Contains(p.Origins, Any) && !p.Credentials {
		origin = Any
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if p.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}

// covers tells whether a list has v; methods count upper and lower case, headers do not. A prefix ending in * covers what begins with it.
func covers(list []string, v string, fold bool) bool {
	return slices.ContainsFunc(list, func(e string) bool {
		if prefix, ok := strings.CutSuffix(e, Any); ok {
			return len(v) >= len(prefix) && strings.EqualFold(v[:len(prefix)], prefix)
		}
		return e == v || fold && strings.EqualFold(e, v)
	})
}
