package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/masterkey"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// skew is how far a request's date may be from ours.
const skew = 15 * time.Minute

// operationOf is classify, but for a POST to one thing, which runs a stored procedure whatever the headers say: only feeds are queried. Else a read-only key
// would run it as a query.
func operationOf(r *http.Request) operation {
	op := classify(r)
	if op != opWrite && r.Method == http.MethodPost && addressesOne(r.URL.EscapedPath()) {
		return opWrite
	}
	return op
}

// addressesOne tells whether a path has an even number of segments, and some.
func addressesOne(path string) bool {
	n := 0
	for i := range len(path) {
		if path[i] != '/' && (i == 0 || path[i-1] == '/') {
			n++
		}
	}
	return n > 0 && n%2 == 0
}

// classify tells what a request does. A POST is a write unless a header says that it is a query or a request for a query's plan.
func classify(r *http.Request) operation {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return opRead
	case http.MethodPost:
		switch {
		case isTrue(r.Header, "X-Ms-Cosmos-Is-Query-Plan-Request"):
			return opPlan
		case isTrue(r.Header, "X-Ms-Documentdb-Isquery"), isTrue(r.Header, "X-Ms-Documentdb-Query"), isQueryType(r.Header.Get("Content-Type")):
			return opQuery
		case isTrue(r.Header, "X-Ms-Cosmos-Is-Batch-Request"):
			return opBatch
		}
	}
	return opWrite
}

func isQueryType(contentType string) bool {
	const want = "application/query+json"
	return len(contentType) >= len(want) && strings.EqualFold(contentType[:len(want)], want)
}

// authenticate checks the authorization header.
func (g *Gateway) authenticate(ctx context.Context, r *wire.Request) error {
	c := r.State.(*call)
	raw := r.HTTP.Header.Get("Authorization")
	if raw == "" {
		return unauthorized("Required Header authorization is missing. Ensure a valid Authorization token is passed.")
	}
	h, err := masterkey.ParseHeader(raw)
	if err != nil {
		return unauthorized("The input authorization token is malformed: " + err.Error() + ".")
	}
	if c.account.LocalAuthDisabled && h.Kind != masterkey.AAD {
		return withSub(unauthorized("Local Authorization is disabled. Use an AAD token to authorize all requests."), subLocalAuthDisabled)
	}
	switch h.Kind {
	case masterkey.Resource:
		return g.authenticateResource(ctx, c, h.Signature)
	case masterkey.AAD:
		return g.authenticateToken(ctx, c, h.Signature)
	}
	if h.Version != "1.0" {
		return unauthorized("The input authorization token has the version '" + strings.ToValidUTF8(h.Version, "?") + "'; 1.0 is expected.")
	}
	if err := checkDate(r); err != nil {
		return err
	}
	buf, _ := g.texts.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	defer g.texts.Put(buf)
	return c.checkKey(h.Signature, buf)
}

func unauthorized(message string) *fault.Error {
	return &fault.Error{Kind: fault.Unauthenticated, Code: "Unauthorized", Message: message}
}

func checkDate(r *wire.Request) error {
	text := r.HTTP.Header.Get("X-Ms-Date")
	if text == "" {
		text = r.HTTP.Header.Get("Date")
	}
	if text == "" {
		return unauthorized("The input authorization token can't serve the request: the required header x-ms-date or date is missing.")
	}
	at, err := parseDate(text)
	if err != nil {
		return unauthorized("The input date header is invalid format. Please pass in RFC 1123 style date format.")
	}
	if d := r.Time.Sub(at); d > skew || d < -skew {
		return fault.New(fault.Forbidden, "Forbidden",
			"The authorization token is not valid at the current time. Please create another token and retry (token start time: %s, token expiry time: %s, current server time: %s).",
			at.Add(-skew).UTC().Format(http.TimeFormat), at.Add(skew).UTC().Format(http.TimeFormat), r.Time.UTC().Format(http.TimeFormat))
	}
	return nil
}

// parseDate is http.ParseTime, with a short way for what nearly all clients send.
func parseDate(text string) (time.Time, error) {
	const form = "Mon, 02 Jan 2006 15:04:05 GMT"
	if len(text) != len(form) || text[3:5] != ", " || text[7] != ' ' || text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':' || text[25:] != " GMT" {
		return http.ParseTime(text)
	}
	weekday := strings.Index("Mon Tue Wed Thu Fri Sat Sun ", text[:3])
	month := strings.Index("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec ", text[8:11])
	number := func(from, to int) (n int) {
		for _, c := range []byte(text[from:to]) {
			if c < '0' || c > '9' {
				return -1
			}
			n = 10*n + int(c-'0')
		}
		return n
	}
	day, year, hour, minute, second := number(5, 7), number(12, 16), number(17, 19), number(20, 22), number(23, 25)
	if weekday%4 != 0 || month%4 != 0 || day < 1 || day > 28 || year < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return http.ParseTime(text) // it knows the months' lengths, and what is wrong
	}
	return time.Date(year, time.Month(month/4+1), day, hour, minute, second, 0, time.UTC), nil
}

// checkKey finds the key that made the signature, then what that key may do. buf is room for the signed text.
func (c *call) checkKey(signature string, buf *[]byte) error {
	if c.Host.Local {
		if err := checkRouted(c.Host.Text, c.HTTP.URL.EscapedPath()); err != nil {
			return err
		}
	}
	target := parseTarget(c.HTTP.URL.EscapedPath())
	req := masterkey.Request{Verb: c.HTTP.Method, Type: target.kind, Link: target.link, XMSDate: c.header("X-Ms-Date"), Date: c.header("Date")}
	text := req.AppendText((*buf)[:0])
	*buf = text
	key, ok := c.match(signature, text)
	if !ok {
		// Links by resource id are signed as the last id alone, in lower case; some clients sign names as they stand in the URL.
		for _, link := range target.others() {
			req.Link = link
			if key, ok = c.match(signature, req.AppendText(nil)); ok {
				break
			}
		}
	}
	if !ok {
		key, ok = c.matchOdd(signature, req, target)
	}
	if !ok {
		return unauthorized("The input authorization token can't serve the request. The wrong key is being used or the expected payload is not built as per the protocol. " +
			"For more info: https://aka.ms/cosmosdb-tsg-unauthorized. Server used the following payload to sign: '" + strings.ToValidUTF8(string(text), "?") + "'")
	}
	c.key, c.AllowedBy = key, key.String()
	switch {
	case key.ReadOnly() && target.kind == "permissions":
		return fault.New(fault.Forbidden, "Forbidden",
			"The given request [%s %s] cannot be authorized by a read-only key: read-only keys give no access to permissions, which hold resource tokens.", c.HTTP.Method, c.HTTP.URL.Path)
	case key.ReadOnly() && !c.op.reads():
		// No sub-status: clients take 3 for a region without writes and wait for another one.
		return fault.New(fault.Forbidden, "Forbidden",
			"The given request [%s %s] cannot be authorized by a read-only key. Use a read-write key of the account.", c.HTTP.Method, c.HTTP.URL.Path)
	case c.account.KeyMetadataDenied && !c.op.reads() && !c.changesData(target.kind):
		return withSub(fault.New(fault.Forbidden, "Forbidden",
			"Operation '%s' on resource '%s' is not allowed through Azure Cosmos DB endpoint. Please switch on such operations for your account, or perform this operation through Azure Resource Manager.",
			c.HTTP.Method, target.kind), subNotByRBAC)
	}
	return nil
}

// changesData tells whether a write is one of data, not of metadata: of documents, of conflicts, or by a stored procedure.
func (c *call) changesData(kind string) bool {
	return kind == "docs" || kind == "conflicts" || kind == keyDeletionType || kind == "sprocs" && c.HTTP.Method == http.MethodPost && parsePath(c.HTTP.URL.EscapedPath()).item
}

func (c *call) match(signature string, text []byte) (KeyName, bool) {
	for i, k := range c.account.Keys {
		if k != nil && k.Verify(signature, text) {
			return KeyName(i), true
		}
	}
	return 0, false
}

// matchOdd tries what single clients sign: the container's type for the deletion of a partition key, and ids with question marks, which those send as
// they are, so that what follows the mark comes as the query of the URL.
func (c *call) matchOdd(signature string, req masterkey.Request, t target) (key KeyName, ok bool) {
	req.Link = t.link
	if t.kind == keyDeletionType {
		req.Type = "colls"
		return c.match(signature, req.AppendText(nil))
	}
	if query := c.HTTP.URL.RawQuery; t.kind == "docs" && query != "" && c.Param("doc") != "" && !strings.Contains(query, "/") {
		rest := "?" + decodeLenient(query)
		req.Link += rest
		if key, ok = c.match(signature, req.AppendText(nil)); ok {
			c.SetParam("doc", c.Param("doc")+rest)
		}
	}
	return key, ok
}

// decodeLenient resolves percent escapes and leaves bad ones as they are.
func decodeLenient(s string) string {
	if out, err := url.PathUnescape(s); err == nil {
		return out
	}
	return s
}

// target is what a path addresses, as signatures name it.
type target struct {
	kind string // "docs"; "" for the account
	link string // decoded
	raw  string // as in the URL
}

// parseTarget takes an escaped path apart. A path of an odd number of segments is a feed: its last segment is the type, the rest the owner's link.
func parseTarget(escaped string) target {
	raw := strings.Trim(escaped, "/")
	if raw == "" {
		return target{}
	}
	for strings.Contains(raw, "//") {
		raw = strings.ReplaceAll(raw, "//", "/")
	}
	var t target
	if n := len(raw) - len(keyDeletion); n > 0 && strings.EqualFold(raw[n:], keyDeletion) {
		t = target{kind: keyDeletionType, raw: raw[:n]}
	} else if n := strings.Count(raw, "/"); n%2 == 0 {
		i := strings.LastIndexByte(raw, '/')
		t.kind, t.raw = raw[i+1:], raw[:max(i, 0)]
	} else {
		i := strings.LastIndexByte(raw, '/')
		t.kind, t.raw = raw[strings.LastIndexByte(raw[:i], '/')+1:i], raw
	}
	t.kind = strings.ToLower(t.kind)
	t.link = decode(t.raw)
	return t
}

// decode resolves percent escapes; the mux has refused bad ones.
func decode(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			b = append(b, hexDigit(s[i+1])<<4|hexDigit(s[i+2]))
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

func hexDigit(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	}
	return c - '0'
}

// others are the further links a client may have signed.
func (t target) others() []string {
	var out []string
	if last := t.link[strings.LastIndexByte(t.link, '/')+1:]; last != "" {
		if _, err := rid.Parse(last); err == nil {
			out = append(out, strings.ToLower(last))
		}
	}
	if t.raw != t.link {
		out = append(out, t.raw)
	}
	return out
}

// authenticateToken checks an Entra ID token, and then what its principal may do.
func (g *Gateway) authenticateToken(ctx context.Context, c *call, token string) error {
	if c.account.Emulator && isEmulatorToken(token) {
		return g.authenticateEmulator(ctx, c, token)
	}
	p, err := g.Verifier.Verify(ctx, token)
	if err != nil {
		var v *authn.VerifyError
		if errors.As(err, &v) {
			return unauthorized("The provided AAD token is not valid: " + string(v.Reason) + ".").WithCause(err)
		}
		return err
	}
	if !c.audience(p.Audience) {
		return withSub(unauthorized("Request blocked by Auth "+c.account.Name+" : AAD token has the audience '"+p.Audience+"'; https://cosmos.azure.com or the account's endpoint is expected."), subAudience)
	}
	if c.account.TenantID != "" && !strings.EqualFold(p.TenantID, c.account.TenantID) {
		return withSub(unauthorized("Request blocked by Auth "+c.account.Name+" : AAD token was issued by the tenant '"+p.TenantID+"', which is not the account's."), subIssuer)
	}
	c.Principal = p
	return g.allowPrincipal(ctx, c)
}

// audience tells whether a token is meant for this account.
func (c *call) audience(aud string) bool {
	aud = strings.TrimSuffix(aud, "/")
	host, _, _ := strings.Cut(c.Host.Text, ":")
	switch aud {
	case "https://cosmos.azure.com", "https://" + c.Host.Text, "https://" + host, "https://" + c.account.Name + ".documents.azure.com":
		return true
	}
	return false
}
