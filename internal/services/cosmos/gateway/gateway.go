package gateway

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/cors"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/masterkey"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/scripts"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// KeyName names one of an account's keys by its place in Account.Keys.
type KeyName int

// The keys.
const (
	Primary KeyName = iota
	Secondary
	PrimaryReadOnly
	SecondaryReadOnly
	KeyCount
)

// String is how audit records call the key.
func (k KeyName) String() string {
	return [...]string{"primary key", "secondary key", "primary read-only key", "secondary read-only key"}[k]
}

// ReadOnly tells whether the key only reads.
func (k KeyName) ReadOnly() bool { return k >= PrimaryReadOnly }

// Account is one consistent state of an account. It is shared: read only.
type Account struct {
	ID       string // ARM id
	Name     string
	GUID     string
	TenantID string // of its subscription; tokens of others are refused
	Keys     [KeyCount]*masterkey.Key

	Filtered      bool // only whom Firewall admits may call
	Firewall      netrule.Firewall
	AllowPlatform bool         // 0.0.0.0 is among the rules: callers inside the platform
	Public        bool         // publicNetworkAccess
	CORS          *cors.Policy // nil: no page of another origin may call

	LocalAuthDisabled bool
	KeyMetadataDenied bool // disableKeyBasedMetadataWriteAccess
	Serverless        bool
	Emulator          bool // one of its keys is no secret: it is served on loopback only
	Throttling        Throttling
	Consistency       string // default level
	Location          string // "West US"
}

// Accounts finds accounts by host name; nil if there is none of that name.
type Accounts interface {
	Account(ctx context.Context, name string) (*Account, error)
	// Assignments are the account's data-plane role assignments as they are now. Shared: read only.
	Assignments(ctx context.Context, a *Account) ([]Assignment, error)
}

// Auditor commits a request's audit record with its write.
type Auditor interface {
	// Prepare makes the function that puts r's record into a transaction.
	Prepare(r *wire.Request, status int) func(tx store.Tx) error
}

// Deps is what the gateway stands on.
type Deps struct {
	Accounts Accounts
	Catalog  *catalog.Catalog
	Items    *items.Store
	Verifier authn.Verifier
	Subnet   netrule.Lookup // nil: no account has virtual network rules
	Inside   func(ctx context.Context, subscription, service string, client netip.Addr) (bool, error)
	Audit    Auditor        // nil: the mux alone records
	Scripts  scripts.Runner // nil: no server-side scripts

	Throttling Throttling           // of accounts that do not choose; burst if not set
	Monotonic  func() time.Duration // what throughput is measured by; nil: the machine's
}

// Gateway serves all accounts. Safe for concurrent use.
type Gateway struct {
	Deps
	texts    sync.Pool // of *[]byte, for signed texts
	throttle *throttle
	patching *stripes // by EPK
}

// New makes a Gateway.
func New(d Deps) *Gateway {
	return &Gateway{Deps: d, throttle: newThrottle(d.Throttling, d.Monotonic), patching: newStripes()}
}

// call is a request with what the stages found out.
type call struct {
	*wire.Request
	account *Account
	op      operation
	now     time.Time
	key     KeyName // that signed it, if one did
	rights  *rights // of a caller without a key
	meter   meter   // what the charge goes to
	meters  []meter // and further ones, that share it
	charge  float64 // as answered
}

// operation is what the headers say a request does. It is read once, before the caller's key is judged.
type operation uint8

const (
	opRead operation = iota
	opQuery
	opPlan
	opWrite
	opBatch
)

// reads tells whether a read-only key may do it.
func (o operation) reads() bool { return o == opRead || o == opQuery || o == opPlan }

type handler func(ctx context.Context, c *call) (any, error)

// Routes of the data plane.
func (g *Gateway) Routes() []wire.Route {
	const (
		coll = "/dbs/{db}/colls/{coll}"
		docs = coll + "/docs"
	)
	var out []wire.Route
	add := func(method, pattern, operation string, h handler) {
		out = append(out, wire.Route{
			Host: wire.HostCosmos, Method: method, Pattern: pattern, Operation: operation, BodyLimit: maxBody,
			Versions: wire.Versions{Header: "X-Ms-Version"}, Network: g.network,
			Auth:    wire.Authenticator{Name: "cosmos authorization header", Check: g.authenticate},
			Handler: g.metered(h),
		})
	}
	add("GET", "/", "ReadDatabaseAccount", g.readAccount)
	add("GET", "/dbs", "ListDatabases", g.listDatabases)
	add("POST", "/dbs", "CreateDatabase", g.postDatabases)
	add("GET", "/dbs/{db}", "ReadDatabase", g.readDatabase)
	add("DELETE", "/dbs/{db}", "DeleteDatabase", g.deleteDatabase)
	add("GET", "/dbs/{db}/colls", "ListCollections", g.listContainers)
	add("POST", "/dbs/{db}/colls", "CreateCollection", g.postContainers)
	add("GET", coll, "ReadCollection", g.steady(g.readContainer))
	add("PUT", coll, "ReplaceCollection", g.replaceContainer)
	add("DELETE", coll, "DeleteCollection", g.deleteContainer)
	add("GET", coll+"/pkranges", "ListPartitionKeyRanges", g.listRanges)
	add("GET", coll+"/conflicts", "ListConflicts", g.listConflicts)
	add("POST", coll+"/conflicts", "QueryConflicts", g.postConflicts)
	add("GET", docs, "ListDocuments", g.steady(g.listDocuments))
	add("POST", docs, "CreateDocument", g.steady(g.postDocuments))
	out[len(out)-1].Brief = brief
	for _, r := range []struct {
		method, operation string
		h                 handler
	}{
		{"GET", "ReadDocument", g.readDocument},
		{"PUT", "ReplaceDocument", g.replaceDocument},
		{"PATCH", "PatchDocument", g.patchDocument},
		{"DELETE", "DeleteDocument", g.deleteDocument},
	} {
		add(r.method, docs+"/{doc}", r.operation, g.steady(r.h))
		out[len(out)-1].Brief = brief
	}
	g.scriptRoutes(add, coll)
	add("GET", "/offers", "ListOffers", g.listOffers)
	add("POST", "/offers", "QueryOffers", g.postOffers)
	add("GET", "/offers/{offer}", "ReadOffer", g.readOffer)
	add("PUT", "/offers/{offer}", "ReplaceOffer", g.replaceOffer)
	g.userRoutes(add)
	g.encryptionKeyRoutes(add)
	g.partitionKeyRoutes(add)
	out = append(out, badOfferPath())
	for _, u := range unsupportedPaths {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			add(method, u.pattern, "Unsupported", unsupported(u.what))
		}
	}
	return out
}

// brief tells whether a request about documents is about one, and runs no script: all others may take their time.
func brief(r *http.Request) bool {
	if op := classify(r); op != opRead && op != opWrite {
		return false
	}
	return r.Header["X-Ms-Documentdb-Pre-Trigger-Include"] == nil && r.Header["X-Ms-Documentdb-Post-Trigger-Include"] == nil
}

// metered charges a request, however it ended, to the range it was about.
func (g *Gateway) metered(h handler) func(context.Context, *wire.Request) (any, error) {
	return func(ctx context.Context, r *wire.Request) (any, error) {
		c := r.State.(*call)
		out, err := h(ctx, c)
		if err != nil && c.charge == 0 {
			c.setCharge(chargeMiss)
		}
		g.throttle.settleAll(c)
		return out, err
	}
}

// unsupportedPaths are parts of the protocol that this platform lacks.
var unsupportedPaths = []struct{ pattern, what string }{
	{"/dbs/{db}/colls/{coll}/docs/{doc}/attachments/{rest*}", "Attachments"},
	{"/addresses/{rest*}", "Direct mode (addresses)"},
	{"/media/{rest*}", "Media"},
}

func unsupported(what string) handler {
	return func(context.Context, *call) (any, error) { return nil, notImplemented(what) }
}

// A body holds one document, or the documents of a batch.
const maxBody = items.MaxDocument + 64<<10

func (c *call) header(canonical string) string {
	if v := c.HTTP.Header[canonical]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (c *call) isTrue(canonical string) bool { return isTrue(c.HTTP.Header, canonical) }

func isTrue(h http.Header, canonical string) bool {
	v := h[canonical]
	return len(v) > 0 && (v[0] == "true" || v[0] == "True" || v[0] == "TRUE")
}
