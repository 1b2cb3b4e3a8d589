package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// refStatus is how a reference is, in Azure's words.
type refStatus string

// The statuses.
const (
	refInitialized     refStatus = "Initialized"
	refResolved        refStatus = "Resolved"
	refSyntax          refStatus = "InvalidSyntax"
	refNoIdentity      refStatus = "MSINotEnabled"
	refVaultNotFound   refStatus = "VaultNotFound"
	refSecretNotFound  refStatus = "SecretNotFound"
	refVersionNotFound refStatus = "SecretVersionNotFound"
	refDenied          refStatus = "AccessToKeyVaultDenied"
	refOther           refStatus = "OtherReasons"
	refTimedOut        refStatus = "FetchTimedOut"
)

const (
	vaultResource = "https://vault.azure.net"
	vaultVersion  = "7.4"
	fetchTimeout  = 10 * time.Second
	fetchers      = 4              // at once, per site
	refreshAfter  = 24 * time.Hour // a reference without a version is read again at the latest after this
	maxSecret     = 256 << 10      // bytes of an answer; a secret has 25 KB at most
)

// resolution is what became of one reference.
type resolution struct {
	text    string // as the setting says
	ref     reference
	status  refStatus
	details string
	active  string // version the value is of
	value   string // secret; only when ok
	ok      bool   // there is a value, maybe of an earlier fetch
}

// String keeps the value out of logs and errors.
func (r resolution) String() string { return string(r.status) + " " + r.text }

// resolver fetches the secrets that settings refer to.
type resolver struct {
	tokens    TokenIssuer
	resources arm.Reader
	client    *http.Client
	hosts     wire.Hosts
	clock     clock.Clock
}

// reader is on whose behalf references are resolved.
type reader struct {
	site     *arm.Resource
	tenant   string
	identity string // resource id of a user-assigned identity; "" or SystemAssigned for the site's own
}

// principal is the object id of the identity that reads, or why there is none.
func (v *resolver) principal(ctx context.Context, who reader) (objectID, problem string, err error) {
	if ownIdentity(who.identity) {
		if !systemIdentity(who.site) {
			return "", "The site has no system-assigned identity.", nil
		}
		return who.site.Identity.PrincipalID, "", nil
	}
	_, u, ok, err := arm.UserIdentity(ctx, v.resources, who.site, who.identity)
	if err == nil && !ok {
		problem = "The identity of keyVaultReferenceIdentity, " + who.identity + ", is not assigned to the site or does not exist any more."
	}
	return u.PrincipalID, problem, err
}

// ownIdentity tells whether a keyVaultReferenceIdentity means the system-assigned identity.
func ownIdentity(text string) bool { return text == "" || strings.EqualFold(text, "SystemAssigned") }

// resolveAll resolves every value that is a reference, by its name. Those of before are what an earlier call answered: their values stay when a fetch fails now; pinned
// ones are not fetched again. nil begins anew.
func (v *resolver) resolveAll(ctx context.Context, who reader, values map[string]string, before map[string]resolution) map[string]resolution {
	out := map[string]resolution{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, fetchers)
	for name, text := range values {
		if !isReference(text) {
			continue
		}
		old, known := before[name]
		known = known && old.text == text && old.ok
		if known && old.ref.Version != "" {
			mu.Lock()
			out[name] = old
			mu.Unlock()
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			r := v.resolve(ctx, who, text)
			if !r.ok && known {
				r.value, r.active, r.ok = old.value, old.active, true
			}
			mu.Lock()
			defer mu.Unlock()
			out[name] = r
		})
	}
	wg.Wait()
	return out
}

// unresolved is a reference before it was fetched.
func unresolved(text string, hosts wire.Hosts) resolution {
	ref, problem := parseReference(text, hosts)
	if problem != "" {
		return resolution{text: text, status: refSyntax, details: "The reference can't be read: " + problem + "."}
	}
	return resolution{text: text, ref: ref, status: refInitialized}
}

// resolve fetches one reference as the site's identity.
func (v *resolver) resolve(ctx context.Context, who reader, text string) resolution {
	r := unresolved(text, v.hosts)
	if r.status == refSyntax {
		return r
	}
	ref := r.ref
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	principal, problem, err := v.principal(ctx, who)
	if problem != "" {
		r.status, r.details = refNoIdentity, problem
		return r
	}
	var token authn.Token
	if err == nil {
		token, err = v.tokens.IssueManagedIdentity(ctx, who.tenant, principal, vaultResource)
	}
	if err != nil {
		r.status, r.details = refOther, "No token for the site's identity: "+faultText(err)
		return r
	}
	value, version, f := v.fetch(ctx, token, ref, ref.Version)
	if f == nil {
		r.status, r.details, r.value, r.active, r.ok = refResolved, "Reference has been successfully resolved.", value, version, true
		return r
	}
	r.status, r.details = f.status, f.details
	if f.status == refSecretNotFound && ref.Version != "" { // which of the two is missing?
		if _, _, other := v.fetch(ctx, token, ref, ""); other == nil || other.status != refSecretNotFound {
			r.status = refVersionNotFound
		}
	}
	return r
}

// systemIdentity tells whether the resource has one.
func systemIdentity(r *arm.Resource) bool {
	return r != nil && r.Identity != nil && r.Identity.PrincipalID != ""
}

// failure is why a secret was not got.
type failure struct {
	status  refStatus
	details string
}

// fetch asks the vault, by Azure's public name for it.
func (v *resolver) fetch(ctx context.Context, token authn.Token, ref reference, version string) (value, active string, f *failure) {
	url := "https://" + v.hosts.Authority(wire.Host{Public: true}, wire.HostVault, ref.Vault) + "/secrets/" + ref.Secret
	if version != "" {
		url += "/" + version
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"?api-version="+vaultVersion, nil)
	if err != nil {
		return "", "", &failure{refOther, "The vault's address could not be made."}
	}
	req.Header.Set("Authorization", "Bearer "+token.Raw)
	req.Header.Set("User-Agent", "AppService-KeyVaultReferences")
	resp, err := v.client.Do(req)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return "", "", &failure{refTimedOut, "The vault did not answer in time."}
		}
		return "", "", &failure{refOther, "The vault could not be reached."}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxSecret))
	if err != nil {
		return "", "", &failure{refOther, "The vault's answer ended early."}
	}
	if resp.StatusCode != http.StatusOK {
		if ctx.Err() != nil { // the vault gave up because we did
			return "", "", &failure{refTimedOut, "The vault did not answer in time."}
		}
		return "", "", vaultFailure(resp.StatusCode, body, ref.Vault)
	}
	var secret struct {
		Value *string `json:"value"`
		ID    string  `json:"id"`
	}
	if json.Unmarshal(body, &secret) != nil || secret.Value == nil {
		return "", "", &failure{refOther, "The vault's answer is not a secret."}
	}
	return *secret.Value, path.Base(secret.ID), nil
}

// vaultFailure turns a vault's refusal into a status.
func vaultFailure(status int, body []byte, vault string) *failure {
	var e struct {
		Error struct {
			Code       string `json:"code"`
			InnerError struct {
				Code string `json:"code"`
			} `json:"innererror"`
		} `json:"error"`
	}
	_ = json.Unmarshal(body, &e) // another shape has no code, which is all that is asked
	code := e.Error.Code
	if inner := e.Error.InnerError.Code; inner != "" {
		code = inner
	}
	said := fmt.Sprintf("The vault %s answered %d %s.", vault, status, code)
	switch {
	case code == "SecretDisabled":
		return &failure{refOther, said + " The secret is disabled."}
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return &failure{refDenied, said + " The site's identity needs the permission to get secrets."}
	case status == http.StatusNotFound && code == "SecretNotFound":
		return &failure{refSecretNotFound, said}
	case status == http.StatusNotFound, status == http.StatusMisdirectedRequest:
		return &failure{refVaultNotFound, said}
	case status == http.StatusGatewayTimeout, status == http.StatusRequestTimeout:
		return &failure{refTimedOut, said}
	}
	return &failure{refOther, said}
}

func faultText(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Message
	}
	return "internal error"
}

// apply puts resolved values in the place of their references; what could not be resolved stays as it is.
func apply(values map[string]string, resolved map[string]resolution) map[string]string {
	out := maps.Clone(values)
	for name, r := range resolved {
		if r.ok {
			out[name] = r.value
		}
	}
	return out
}

// sameValues tells whether two resolutions give a process the same environment.
func sameValues(a, b map[string]resolution) bool {
	return maps.EqualFunc(a, b, func(x, y resolution) bool { return x.ok == y.ok && x.value == y.value && x.text == y.text })
}
