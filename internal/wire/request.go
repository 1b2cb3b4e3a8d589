package wire

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/authn"
)

// Request is one request as the handler sees it. It is valid until the handler returns.
type Request struct {
	HTTP   *http.Request
	Route  *Route
	Host   Host
	Hosts  Hosts // to build URLs that follow the way the client came in
	Client netip.Addr

	Time            time.Time // when it arrived
	RequestID       string    // ours, a GUID: x-ms-request-id
	CorrelationID   string    // the story this request belongs to; see Correlation
	ClientRequestID string    // the caller's own id, echoed
	APIVersion      string    // well-formed, or ""

	Body      []byte             // read whole, within the route's limit
	Principal *authn.Principal   // set by the route's Authenticator
	Auxiliary []*authn.Principal // further principals the caller proved to be, for what a request is linked to; ARM alone sets it
	Process   string             // identity resource id of the child process that sent it through the proxy; "" otherwise

	// For the audit record: what was touched and why it was allowed ("policy ...", "assignment ..."). Handlers and stages set them.
	Resource  string
	AllowedBy string
	// Audited is set once a record of this request was committed with its own write, so that the mux does not write another.
	Audited bool
	// State is what an earlier stage of the route found and a later one needs (the vault, the account); the mux never looks at it.
	State any

	params []Param
	query  []Param
	plane  plane
	// Room for the usual number of parameters, so that one allocation makes a request.
	paramRoom, queryRoom [4]Param
	headerRoom           [20]string
	headersUsed          int
	answer               http.Header
}

// AnswerHeader gives a header of the answer, as it is so far; "" if it has none. The name is in canonical form.
func (r *Request) AnswerHeader(canonical string) string {
	if v := r.answer[canonical]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// SetHeader sets a header of the answer, whatever the answer becomes; a Reply's own headers come after. The name is in canonical form. For handlers
// that set many: it allocates less than a Reply's map.
func (r *Request) SetHeader(canonical, value string) { r.ShareHeader(canonical, r.one(value)) }

// ShareHeader is SetHeader for values that several answers share and nobody changes.
func (r *Request) ShareHeader(canonical string, values []string) {
	if r.answer == nil {
		r.answer = http.Header{} // a Request made by hand
	}
	r.answer[canonical] = values
}

// AddHeader is SetHeader that keeps earlier values: for Set-Cookie.
func (r *Request) AddHeader(canonical, value string) {
	r.ShareHeader(canonical, append(r.answer[canonical][:len(r.answer[canonical]):len(r.answer[canonical])], value))
}

// one is []string{v}, out of the request's own room while there is some.
func (r *Request) one(v string) []string {
	i := r.headersUsed
	if i == len(r.headerRoom) {
		return []string{v}
	}
	r.headersUsed++
	r.headerRoom[i] = v
	return r.headerRoom[i : i+1 : i+1]
}

// Param is a name and its decoded value.
type Param struct{ Name, Value string }

// Param returns a path parameter, percent-decoded, "" if absent.
func (r *Request) Param(name string) string {
	for i := range r.params {
		if r.params[i].Name == name {
			return r.params[i].Value
		}
	}
	return ""
}

// SetParam sets a path parameter; for tests and for routers that parse paths themselves.
func (r *Request) SetParam(name, value string) {
	for i := range r.params {
		if r.params[i].Name == name {
			r.params[i].Value = value
			return
		}
	}
	r.params = append(r.params, Param{name, value})
}

// Query returns the first query parameter of that name; names are decoded and compared in any case ("api%2Dversion" is api-version).
func (r *Request) Query(name string) string {
	v, _ := r.LookupQuery(name)
	return v
}

// LookupQuery is Query that also tells whether the parameter is there.
func (r *Request) LookupQuery(name string) (string, bool) {
	for i := range r.query {
		if strings.EqualFold(r.query[i].Name, name) {
			return r.query[i].Value, true
		}
	}
	return "", false
}

// URL builds an absolute URL of another endpoint, by the way this client came in.
func (r *Request) URL(kind HostKind, name string) string { return r.Hosts.URL(r.Host, kind, name) }
