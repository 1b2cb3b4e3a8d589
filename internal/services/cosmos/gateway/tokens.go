package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
)

// Bounds of a resource token's lifetime in seconds, and what it is when the client does not say.
const (
	tokenMin     = 10
	tokenMax     = 18_000
	tokenDefault = 3600
)

// resourceToken is what a resource token says. It is signed, not secret: what it opens is looked up in the permission it names, so that a permission
// changed or deleted counts at once. It rests on the account key that asked for it, and ends with it.
type resourceToken struct {
	Permission string  `json:"p"` // resource id
	ETag       string  `json:"e"` // of the permission
	Key        KeyName `json:"k"`
	Start      int64   `json:"s"` // seconds
	Expires    int64   `json:"x"`
	Document   uint64  `json:"d,omitempty"` // number of the document, of a permission on one that was there: not one made anew under its id
}

// signedText is what is signed. No request's text begins like this.
func signedText(account, payload string) []byte {
	return []byte("resource token\n" + account + "\n" + payload)
}

// tokenLifetime reads x-ms-documentdb-expiry-seconds.
func (c *call) tokenLifetime() (time.Duration, error) {
	text := c.header("X-Ms-Documentdb-Expiry-Seconds")
	if text == "" {
		return tokenDefault * time.Second, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < tokenMin || n > tokenMax {
		return 0, invalid("The value '%.40s' specified for the header x-ms-documentdb-expiry-seconds is invalid; it is a number of seconds from %d to %d.", text, tokenMin, tokenMax)
	}
	return time.Duration(n) * time.Second, nil
}

// mint makes a token of a permission, for the caller who read or wrote it with an account key.
func (g *Gateway) mint(ctx context.Context, c *call, p *catalog.Permission) (string, error) {
	life, err := c.tokenLifetime()
	if err != nil {
		return "", err
	}
	if c.rights != nil || c.key.ReadOnly() || c.account.Keys[c.key] == nil {
		return "", insufficient() // not reached: permissions are refused to such callers before
	}
	t := resourceToken{Permission: p.RID().String(), ETag: p.ETag, Key: c.key, Start: c.now.Unix(), Expires: c.now.Add(life).Unix()}
	if p.Kind == "docs" {
		if t.Document, err = g.permittedDocument(ctx, c, p); err != nil {
			return "", err
		}
	}
	raw, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	payload := base64.StdEncoding.EncodeToString(raw)
	return "type=resource&ver=1&sig=" + c.account.Keys[c.key].Sign(signedText(c.account.GUID, payload)) + ";" + payload + ";", nil
}

// permittedDocument finds the number of the document a permission is on; 0 if it can't be told, or there is none yet.
func (g *Gateway) permittedDocument(ctx context.Context, c *call, p *catalog.Permission) (uint64, error) {
	segs := strings.Split(strings.Trim(p.Resource, "/"), "/")
	_, con, err := g.Catalog.Container(ctx, c.account.GUID, segs[1], segs[3])
	switch {
	case fault.Is(err, fault.NotFound):
		return 0, nil
	case err != nil:
		return 0, err
	}
	if n := documentNumber(con, p.Child); n != 0 {
		return n, nil
	}
	key := p.Key()
	if len(key) != len(con.PartitionKey.Paths) {
		return 0, nil
	}
	return g.numberOf(ctx, con, key, p.Child)
}

// numberOf is the number of a document, 0 if there is none.
func (g *Gateway) numberOf(ctx context.Context, con *catalog.Container, key pkey.Key, id string) (uint64, error) {
	epk := key.EPK(*con.PartitionKey)
	item, _, err := g.Items.Get(ctx, con.At(epk), epk, id, 0)
	if item == nil || err != nil {
		return 0, documentError(err)
	}
	var doc struct {
		RID string `json:"_rid"`
	}
	if err := json.Unmarshal(item.Text, &doc); err != nil {
		return 0, err
	}
	return documentNumber(con, doc.RID), nil
}

// insufficient is the refusal of what a resource token does not give.
func insufficient() *fault.Error {
	return fault.New(fault.Forbidden, "Forbidden",
		"Insufficient permissions provided in the authorization header for the corresponding request. Please retry with another authorization header.")
}

func badResourceToken() *fault.Error {
	return unauthorized("The input authorization token can't serve the request. The resource token is malformed, or the account key it was made with was regenerated. " +
		"Please read the permission again and retry with its new token.")
}

// authenticateResource checks a resource token, and then whether it is for what the request does.
func (g *Gateway) authenticateResource(ctx context.Context, c *call, signature string) error {
	t, ok := c.openToken(signature)
	if !ok {
		return badResourceToken()
	}
	if now := c.now.Unix(); now >= t.Expires || now < t.Start-int64(skew/time.Second) {
		show := func(s int64) string { return time.Unix(s, 0).UTC().Format(http.TimeFormat) }
		return fault.New(fault.Forbidden, "Forbidden",
			"The authorization token is not valid at the current time. Please create another token and retry (token start time: %s, token expiry time: %s, current server time: %s).",
			show(t.Start), show(t.Expires), show(now))
	}
	id, err := rid.Parse(t.Permission)
	if err != nil {
		return badResourceToken()
	}
	grant, err := g.Catalog.Grant(ctx, c.account.GUID, id)
	if err != nil {
		return err
	}
	if grant == nil || grant.ETag != t.ETag {
		return fault.New(fault.Forbidden, "Forbidden",
			"The permission that the resource token was made of, its user or its resource was deleted or replaced. Please read the permission again and retry with its new token.")
	}
	c.AllowedBy = "permission " + t.Permission
	c.rights = &rights{grant: grant}
	return g.allowToken(ctx, c, grant, t.Document)
}

// openToken checks the form and the signature of a token.
func (c *call) openToken(signature string) (t resourceToken, ok bool) {
	mac, rest, ok := strings.Cut(signature, ";")
	if !ok {
		return t, false
	}
	payload, rest, ok := strings.Cut(rest, ";")
	if !ok || rest != "" {
		return t, false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(payload)
	if err != nil || json.Unmarshal(raw, &t) != nil || t.Key < 0 || t.Key.ReadOnly() || c.account.Keys[t.Key] == nil {
		return t, false
	}
	return t, c.account.Keys[t.Key].Verify(mac, signedText(c.account.GUID, payload))
}

// allowToken tells whether a permission covers the request. Besides what it is on, a token reads what SDKs need to find their way: the account, and the
// container with its partition key ranges.
func (g *Gateway) allowToken(ctx context.Context, c *call, p *catalog.Grant, document uint64) error {
	to := parsePath(c.HTTP.URL.EscapedPath())
	if to.kind == "" && c.op == opRead {
		return nil
	}
	if len(to.names) < 2 {
		return insufficient()
	}
	_, con, err := g.Catalog.Container(ctx, c.account.GUID, to.names[0], to.names[1])
	switch {
	case fault.Is(err, fault.NotFound), err == nil && con.GUID != p.GUID:
		return insufficient()
	case err != nil:
		return err
	}
	switch to.kind {
	case "colls", "pkranges", "addresses":
		// Of a container as a whole, its definition is open to those who may work in it; the rest to who has all of it.
		if c.op == opRead || to.kind == "colls" && p.Kind == "" && p.Key == nil && p.All() {
			return nil
		}
		return insufficient()
	case "docs", "sprocs", "triggers", "udfs", "conflicts":
	default:
		return insufficient()
	}
	if !p.All() && !c.op.reads() {
		return insufficient()
	}
	executes := to.kind == "sprocs" && to.item && c.HTTP.Method == http.MethodPost
	if p.Kind != "" {
		if to.kind != p.Kind || !to.item || !sameChild(con, p.Child, to.names[len(to.names)-1], document) {
			return insufficient()
		}
	}
	if p.Key == nil && document == 0 {
		return nil
	}
	if to.kind != "docs" && !executes && p.Key != nil {
		return insufficient() // functions belong to no logical partition
	}
	return g.allowDocument(ctx, c, con, p, document, to)
}

// allowDocument checks what a token that is bound to a partition key or to a document says of a request about documents.
func (g *Gateway) allowDocument(ctx context.Context, c *call, con *catalog.Container, p *catalog.Grant, document uint64, to addressed) error {
	if c.op == opPlan {
		return nil // computed of the query's text alone
	}
	if p.Key != nil && (c.op != opBatch || c.isTrue("X-Ms-Cosmos-Batch-Atomic")) { // the operations of others are checked one by one: see checkBatch
		key, given, err := c.partitionKey(con)
		if err != nil || !given || !key.HasPrefix(p.Key) {
			return insufficient()
		}
	}
	if document == 0 {
		return nil
	}
	if documentNumber(con, to.names[len(to.names)-1]) == document {
		return nil
	}
	key, given, err := c.partitionKey(con)
	if err != nil || !given || len(key) != len(con.PartitionKey.Paths) {
		return insufficient()
	}
	n, err := g.numberOf(ctx, con, key, to.names[len(to.names)-1])
	if err == nil && n != document {
		return insufficient()
	}
	return err
}

// sameChild compares how a permission and a request name a thing in a container. Where one uses the name and the other the resource id, the document's
// number in the token decides later; without one they are two things.
func sameChild(con *catalog.Container, have, asked string, document uint64) bool {
	return have == asked || document != 0 && (documentNumber(con, have) == 0) != (documentNumber(con, asked) == 0)
}

// addressed is what a path addresses: dbs/{names[0]}/colls/{names[1]}/{kind}/{names[2]}.
type addressed struct {
	kind  string // of the last thing, lower case; "" for the account
	item  bool   // one of its kind, not the feed of all
	names []string
}

// parsePath takes an escaped path apart by segments, so that an escaped slash in a name stays in it.
func parsePath(escaped string) addressed {
	segs := strings.FieldsFunc(escaped, func(r rune) bool { return r == '/' })
	p := addressed{item: len(segs)%2 == 0 && len(segs) > 0}
	for i, s := range segs {
		if i%2 == 0 {
			p.kind = strings.ToLower(decode(s))
		} else {
			p.names = append(p.names, decode(s))
		}
	}
	return p
}
