// Package clients runs Azure's Python and Node clients, unchanged, against the binary. scripts/clients installs them.
package clients

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the thumbprint adal names a certificate by
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

var shared harness.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

// skipVariable leaves this package out, for machines without Python and Node.
const skipVariable = "BULKHEAD_SKIP_CLIENTS"

// world is a vault with a secret and an application that may only read it.
type world struct {
	p          *harness.Platform
	vault      string
	version    string // of the secret
	app        harness.App
	pem, key   string // files: certificate and key, key alone
	thumbprint string
	identity   string // resource id the programs run as; "" for none
}

const (
	secretName  = "db-password"
	secretValue = "k€y=\"1\"; 'x' & ü"
)

// platform is the platform of this package's tests, unless they are left out.
func platform(t *testing.T) *harness.Platform {
	t.Helper()
	if os.Getenv(skipVariable) == "1" {
		t.Skip(skipVariable + "=1: the Python and Node clients are not run")
	}
	return shared.Platform(t)
}

func newWorld(t *testing.T) world {
	t.Helper()
	w := world{p: platform(t)}
	cert := w.makeCertificate(t)
	w.app = w.p.CreateApp(t, "", harness.Name("reader-"), "--certificate", cert)
	owner := w.p.CreateApp(t, "", harness.Name("owner-"))
	group := w.p.PutGroup(t)
	w.vault = w.p.PutVault(t, group, "",
		harness.Policy{ObjectID: owner.Principal, Secrets: harness.All},
		harness.Policy{ObjectID: w.app.Principal, Secrets: []string{"get"}})
	way := w.p.SuffixWay(t)
	a := way.Do(t, "PUT", way.Vault(w.vault)+"/secrets/"+secretName+"?api-version=7.4",
		harness.Bearer(way.AppToken(t, owner, way.VaultAudience())), map[string]any{"value": secretValue})
	id, _ := a.JSON()["id"].(string)
	if a.Status != 200 || id == "" {
		t.Fatalf("set the secret: %d %s", a.Status, a.Body)
	}
	w.version = path.Base(id)
	return w
}

// makeCertificate writes an RSA key and its certificate and returns the file with the certificate alone.
func (w *world) makeCertificate(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "reader"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	w.key, w.pem = write("key.pem", keyPEM), write("both.pem", append(keyPEM, certPEM...))
	sum := sha1.Sum(der) //nolint:gosec // as above
	w.thumbprint = hex.EncodeToString(sum[:])
	return write("certificate.pem", certPEM)
}

// client is one program of a language.
type client struct {
	name    string
	command []string
	env     []string
}

func python(t *testing.T, script string) client {
	return client{name: script, command: []string{harness.Installed(t, "venv/bin/python"), "../python/" + script}, env: []string{"PYTHONUTF8=1"}}
}

func node(t *testing.T, script string) client {
	bin, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("run scripts/clients first (or set %s=1): %v", skipVariable, err)
	}
	return client{name: script, command: []string{bin, "../node/" + script}, env: []string{"NODE_MODULES=" + harness.Installed(t, "node")}}
}

// readout is what the programs print.
type readout struct{ Value, Version, Token string }

// run runs the program under `bulkhead exec`. Both ways go through the proxy: with Azure's names the client needs nothing else; names under the platform's own suffix
// are found by the proxy too, so nothing of the client's or this machine's is patched.
func (w world) run(t *testing.T, c client, way harness.Way, credential, secret string) (readout, string, error) {
	t.Helper()
	authority := ""
	if !way.Public {
		authority = way.Login()
	}
	env := append([]string{
		"AUTHORITY=" + authority, "RESOURCE=" + way.VaultAudience(), "VAULT_URL=" + way.Vault(w.vault), "SECRET_NAME=" + secretName,
		"TENANT_ID=" + w.app.TenantID, "CLIENT_ID=" + w.app.AppID, "CREDENTIAL=" + credential, "CLIENT_SECRET=" + secret,
		"CERTIFICATE=" + w.pem, "KEY=" + w.key, "THUMBPRINT=" + w.thumbprint,
	}, c.env...)
	words := []string{"exec"}
	if w.identity != "" {
		words = append(words, "--identity", w.identity)
	}
	words = append(append(words, "--", "env"), env...)
	cmd := w.p.Command(append(words, c.command...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return readout{}, string(out) + stderr.String(), err
	}
	var r readout
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%s printed %q: %v", c.name, out, err)
	}
	return r, "", nil
}

func TestReadSecret(t *testing.T) {
	w := newWorld(t)
	for _, c := range []client{python(t, "readsecret.py"), python(t, "adaltoken.py"), node(t, "readsecret.mjs")} {
		for _, way := range w.p.Ways(t) {
			for _, credential := range []string{"secret", "certificate"} {
				t.Run(c.name+"/"+way.Name+"/"+credential, func(t *testing.T) {
					secret := w.app.Secret.SecretText
					if credential == "certificate" {
						secret = ""
					}
					got, said, err := w.run(t, c, way, credential, secret)
					if err != nil {
						t.Fatalf("%v\n%s", err, said)
					}
					if got.Value != secretValue || got.Version != w.version {
						t.Errorf("read %q of version %q, want %q of %q", got.Value, got.Version, secretValue, w.version)
					}
					if c.name == "adaltoken.py" {
						issuer := "https://sts.windows.net/"
						if !way.Public {
							issuer = way.Login() + "/"
						}
						checkVersion1(t, got.Token, issuer+w.app.TenantID+"/", w.app)
					}
				})
			}
		}
	}
}

// checkVersion1 makes sure that a token is of the first version, of the issuer and for the application.
func checkVersion1(t *testing.T, token, issuer string, app harness.App) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("the token has %d parts", len(parts))
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Ver, AppID, OID, Iss string }
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	if claims.Ver != "1.0" || claims.AppID != app.AppID || claims.OID != app.Principal || claims.Iss != issuer {
		t.Errorf("claims %+v, want ver 1.0, appid %s, oid %s, iss %s", claims, app.AppID, app.Principal, issuer)
	}
}

// A client with a wrong secret hears Entra's own code, in each language's own error.
func TestWrongSecret(t *testing.T) {
	w := newWorld(t)
	for _, c := range []client{python(t, "readsecret.py"), python(t, "adaltoken.py"), node(t, "readsecret.mjs")} {
		for _, way := range w.p.Ways(t) {
			t.Run(c.name+"/"+way.Name, func(t *testing.T) {
				got, said, err := w.run(t, c, way, "secret", w.app.Secret.SecretText+"x")
				if err == nil {
					t.Fatalf("read %q with a wrong secret", got.Value)
				}
				if !strings.Contains(said, "AADSTS7000215") {
					t.Errorf("the client did not hear AADSTS7000215:\n%s", said)
				}
				if strings.Contains(said, w.app.Secret.SecretText) {
					t.Error("the secret is in what the client printed")
				}
			})
		}
	}
}
