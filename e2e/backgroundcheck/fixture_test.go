// Package backgroundcheck proves examples/backgroundcheck on the running platform: the example's own setup provisions it, and from there on real clients call it.
package backgroundcheck

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/cosmos/armcosmos/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azcertificates"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// party is one that the example's setup wrote down; see Input and Output in examples/backgroundcheck/provision.
type party struct {
	Name, TenantID, SubscriptionID, ClientID string
	Callers                                  []string

	Account        string // the rest is there for customers
	DaemonClientID string
	DaemonObjectID string
	Credential     string
}

func (p *party) group() string   { return strings.Split(p.Account, "/")[4] }
func (p *party) account() string { return p.Account[strings.LastIndexByte(p.Account, '/')+1:] }

// stage is the example, set up and running.
type stage struct {
	p         *harness.Platform
	way       harness.Way // Azure's own names, as everybody in this story uses them
	publisher party
	contoso   party
	fabrikam  party
	service   struct {
		URL, APIURI, Site, Vault, VaultURL string
		Customers                          []*party
	}
	secrets map[string]string            // everything secret that was seen, by what it is
	told    []string                     // every answer the service gave
	tokens  map[string]string            // by client id and resource
	env     map[string]map[string]string // by client id
}

// newStage starts a platform and runs the example's setup on it, as a reader of its README would.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{p: harness.Start(t, harness.Options{}), secrets: map[string]string{}, tokens: map[string]string{}, env: map[string]map[string]string{}}
	s.way = s.p.ProxyWay(t)
	s.setUp(t)
	var parties struct{ Publisher party }
	readJSON(t, filepath.Join(s.p.Data, "backgroundcheck", "parties.json"), &parties)
	readJSON(t, filepath.Join(s.p.Data, "backgroundcheck", "service.json"), &s.service)
	if len(s.service.Customers) != 2 {
		t.Fatalf("the setup made %d customers, want 2", len(s.service.Customers))
	}
	s.publisher, s.contoso, s.fabrikam = parties.Publisher, *s.service.Customers[0], *s.service.Customers[1]
	return s
}

// setUp runs examples/backgroundcheck/setup and returns what it printed.
func (s *stage) setUp(t *testing.T) string {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	bin, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir()
	if err := os.Symlink(bin, filepath.Join(path, "bulkhead")); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(filepath.Join(root, "examples", "backgroundcheck", "setup"))
	c.Env = append(os.Environ(), "PATH="+path+":"+os.Getenv("PATH"), "BULKHEAD_DATA="+s.p.Data)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("setup: %v\n%s", err, out)
	}
	s.told = append(s.told, string(out))
	return string(out)
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// seen remembers a secret, to look for it later where it must not be.
func (s *stage) seen(what, value string) string {
	if len(value) >= 16 { // shorter ones would be found by chance
		s.secrets[value] = what
	}
	return value
}

// envOf is what `bulkhead env --as` gives for an application.
func (s *stage) envOf(t *testing.T, clientID string) map[string]string {
	t.Helper()
	if s.env[clientID] == nil {
		s.env[clientID] = s.p.Env(t, clientID)
		s.seen("secret of application "+clientID, s.env[clientID]["AZURE_CLIENT_SECRET"])
	}
	return s.env[clientID]
}

// token signs an application in for a resource.
func (s *stage) token(t *testing.T, clientID, resource string) string {
	t.Helper()
	key := clientID + " " + resource
	if s.tokens[key] == "" {
		env := s.envOf(t, clientID)
		s.tokens[key] = s.seen("token of "+clientID, s.way.Token(t, env["AZURE_TENANT_ID"], clientID, env["AZURE_CLIENT_SECRET"], resource))
	}
	return s.tokens[key]
}

// admin is the credential of a party's administrator.
func (s *stage) admin(t *testing.T, p party) *azidentity.ClientSecretCredential {
	t.Helper()
	return s.clientSecret(t, p.TenantID, p.ClientID, s.envOf(t, p.ClientID)["AZURE_CLIENT_SECRET"])
}

func (s *stage) clientSecret(t *testing.T, tenant, clientID, secret string) *azidentity.ClientSecretCredential {
	t.Helper()
	cred, err := azidentity.NewClientSecretCredential(tenant, clientID, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: s.way.ClientOptions()})
	if err != nil {
		t.Fatal(err)
	}
	return cred
}

func (s *stage) vaultSecrets(t *testing.T) *azsecrets.Client {
	t.Helper()
	c, err := azsecrets.NewClient(s.service.VaultURL, s.admin(t, s.publisher), &azsecrets.ClientOptions{ClientOptions: s.way.ClientOptions()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *stage) vaultCertificates(t *testing.T) *azcertificates.Client {
	t.Helper()
	c, err := azcertificates.NewClient(s.service.VaultURL, s.admin(t, s.publisher), &azcertificates.ClientOptions{ClientOptions: s.way.ClientOptions()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stored reads a secret from the vault, as its administrator.
func (s *stage) stored(t *testing.T, name, version string) (value, thatVersion string) {
	t.Helper()
	got, err := s.vaultSecrets(t).GetSecret(t.Context(), name, version, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.seen("secret "+name+" of the vault", *got.Value), got.ID.Version()
}

// keys lists an account's keys as the customer's administrator.
func (s *stage) keys(t *testing.T, p party) *armcosmos.DatabaseAccountListKeysResult {
	t.Helper()
	got, err := s.accounts(t, p).ListKeys(t.Context(), p.group(), p.account(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for what, key := range map[string]*string{
		"primary": got.PrimaryMasterKey, "secondary": got.SecondaryMasterKey,
		"primary read-only": got.PrimaryReadonlyMasterKey, "secondary read-only": got.SecondaryReadonlyMasterKey,
	} {
		s.seen(what+" key of "+p.account(), *key)
	}
	return &got.DatabaseAccountListKeysResult
}

func (s *stage) accounts(t *testing.T, p party) *armcosmos.DatabaseAccountsClient {
	t.Helper()
	c, err := armcosmos.NewDatabaseAccountsClient(p.SubscriptionID, s.admin(t, p), s.way.ARMOptions())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// graph calls Microsoft Graph as a party's administrator.
func (s *stage) graph(t *testing.T, p party, method, path string, body any) harness.Answer {
	t.Helper()
	return s.way.Do(t, method, s.way.Graph()+"/v1.0"+path, harness.Bearer(s.token(t, p.ClientID, "https://graph.microsoft.com")), body)
}

// do calls the service with a token and a correlation id ("": none of either).
func (s *stage) do(t *testing.T, token, correlation, method, path string, body any) harness.Answer {
	t.Helper()
	h := http.Header{}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	if correlation != "" {
		h.Set("X-Ms-Correlation-Request-Id", correlation)
	}
	a := s.way.Do(t, method, s.service.URL+path, h, body)
	s.told = append(s.told, string(a.Body))
	return a
}

// as calls the service as a customer's own application, and wants the status.
func (s *stage) as(t *testing.T, p party, method, path string, body any, want int) map[string]any {
	t.Helper()
	a := s.do(t, s.token(t, p.Callers[0], s.service.APIURI), "", method, path, body)
	if a.Status != want {
		t.Fatalf("%s %s as %s: %d %s, want %d", method, path, p.Name, a.Status, a.Body, want)
	}
	return a.JSON()
}

type object = map[string]any
