package cognitive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Audiences of Cognitive Services' tokens: the resource, and the id of its first-party application.
const (
	resource    = "https://cognitiveservices.azure.com"
	application = "7d312290-28c8-473c-a0ed-8e53749b6d6d"
)

// account is an account as the data plane needs it: parsed once per change of its resource. Never written after it was made.
type account struct {
	id, guid, etag string
	shard          string // of its subscription
	tenant         string
	kind, region   string
	sku            sku
	local          bool // keys are taken
	public         bool
	firewall       *netrule.Firewall // nil: everybody is let in
}

func shardOf(guid string) string { return "cognitive/" + guid }

// accountNamed finds a live account by a name of its; nil if there is none.
func (s *Service) accountNamed(ctx context.Context, kind wire.HostKind, name string) (*account, error) {
	e, res, tenant, err := arm.Named(ctx, s.deps.Reader, s.deps.Names, kind, name)
	if err != nil || res == nil {
		if err != nil {
			err = fmt.Errorf("look up account %s: %w", name, err)
		}
		return nil, err
	}
	if a, ok := s.parsed.Load(e.GUID); ok && a.(*account).etag == res.ETag && a.(*account).id == res.ID {
		return a.(*account), nil
	}
	a, err := parseAccount(res, tenant)
	if err != nil {
		return nil, err
	}
	s.parsed.Store(e.GUID, a)
	return a, nil
}

func parseAccount(res *arm.Resource, tenant string) (*account, error) {
	p, err := propertiesOf(res)
	if err != nil {
		return nil, err
	}
	id, err := arm.ParseID(res.ID)
	if err != nil {
		return nil, err
	}
	a := &account{
		id: res.ID, guid: res.GUID, etag: res.ETag, shard: subscriptionShard(id.Subscription), tenant: tenant, kind: res.Kind, region: region(res.Location),
		local: !p.DisableLocal, public: p.PublicAccess != "Disabled",
	}
	if k, ok := kindNamed(res.Kind); ok {
		a.sku, _ = k.sku(skuOf(res))
	}
	a.firewall, err = p.firewall(res)
	return a, err
}

// keyOf takes the key out of a request: the header, or the query as the first clients sent it.
func keyOf(r *wire.Request) string {
	if k := r.HTTP.Header.Get("Ocp-Apim-Subscription-Key"); k != "" {
		return k
	}
	return r.Query("subscription-key")
}

func wrongKey() *fault.Error {
	return fault.New(fault.Unauthenticated, "401", "Access denied due to invalid subscription key or wrong API endpoint. "+
		"Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.")
}

func noCredential() *fault.Error {
	return fault.New(fault.Unauthenticated, "401", "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API.")
}

// authenticate demands a key of the account, or a token of somebody who may do the operation, which authorize asks next.
func (s *Service) authenticate(ctx context.Context, r *wire.Request, a *api.API, _ *api.Route) error {
	if key := keyOf(r); key != "" {
		return s.byKey(ctx, r, key, func(kind string) bool { return slices.Contains(a.Kinds, kind) })
	}
	scheme, raw, ok := strings.Cut(r.HTTP.Header.Get("Authorization"), " ")
	if raw = strings.TrimSpace(raw); !ok || raw == "" || !strings.EqualFold(scheme, "Bearer") {
		return noCredential()
	}
	return s.byToken(ctx, r, raw, a)
}

// byKey finds out whose key it is and whether the account is of a kind that is good here.
func (s *Service) byKey(ctx context.Context, r *wire.Request, key string, good func(kind string) bool) error {
	v := r.State.(*visit)
	guid := ownerOf(key)
	if v.account == nil {
		if guid == "" || !ids.IsGUID(guid) {
			return wrongKey()
		}
		a, err := s.accountNamed(ctx, hostKey, guid)
		if err != nil {
			return err
		}
		if a == nil || a.region != r.Host.Name {
			return wrongKey()
		}
		v.account = a
	} else if v.account.guid != guid {
		return wrongKey()
	}
	a := v.account
	o, err := s.loadKeys(ctx, a.shard, a.guid)
	if err != nil {
		return err
	}
	if !o.keys.holds(key) || !good(a.kind) {
		return wrongKey()
	}
	if !a.local {
		return fault.New(fault.Forbidden, "AuthenticationTypeDisabled", "Key based authentication is disabled for this resource.")
	}
	r.Resource, r.AllowedBy = a.id, "key"
	if r.Host.Regional() {
		return s.letIn(ctx, r, a)
	}
	return nil
}

// byToken verifies a token for Cognitive Services of the account's own tenant.
func (s *Service) byToken(ctx context.Context, r *wire.Request, raw string, api *api.API) error {
	const refused = "Unauthorized. Access token is missing, invalid, audience is incorrect (https://cognitiveservices.azure.com), or have expired."
	a := r.State.(*visit).account
	p, err := s.deps.Verifier.Verify(ctx, raw)
	if err != nil {
		var wrong *authn.VerifyError
		if errors.As(err, &wrong) {
			return fault.New(fault.Unauthenticated, "401", refused)
		}
		return err
	}
	audience := strings.TrimSuffix(p.Audience, "/")
	if audience != resource && audience != application {
		return fault.New(fault.Unauthenticated, "401", refused)
	}
	switch {
	case a == nil:
		return bad("BadRequest", "Please provide a custom subdomain for token authentication, otherwise API key is required.")
	case !strings.EqualFold(p.TenantID, a.tenant):
		return fault.New(fault.Unauthenticated, "401", "Token tenant %s does not match resource tenant.", p.TenantID)
	case !slices.Contains(api.Kinds, a.kind):
		return wrongKey()
	}
	r.Principal = p
	return nil
}

// admit is the stage that asks the role assignments about a token's owner, then the rate limit and the quota about the account.
func (s *Service) admit(ctx context.Context, r *wire.Request, a *api.API, route *api.Route) error {
	v := r.State.(*visit)
	if r.Principal != nil {
		d, err := s.deps.Access.Check(ctx, r.Principal, typeName+"/"+route.Action, true, v.account.id)
		if err != nil {
			return err
		}
		if !d.Allowed {
			return fault.New(fault.Unauthenticated, "PermissionDenied", "Principal does not have access to API/Operation.")
		}
		r.Resource, r.AllowedBy = v.account.id, d.By
	}
	if wait := s.limits.take(v.account, route.Feature); wait > 0 {
		f := fault.New(fault.TooMany, "429", "Requests to the %s Operation under %s have exceeded rate limit of your current %s %s pricing tier. Please retry after %d seconds. "+
			"To increase your rate limit switch to a paid tier.", route.Operation, a.Title, v.account.kind, v.account.sku.name, seconds(wait))
		f.RetryAfter = wait
		return f
	}
	return s.usage.within(ctx, v.account)
}
