// Package emulator runs the quick starts of the Cosmos DB emulator's clients against `bulkhead up --cosmos-emulator`, at https://localhost:8081 with the well-known key.
package emulator

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

const (
	address  = "127.0.0.1:8081"
	endpoint = "https://localhost:8081/"
	// The emulator's key, as its documentation prints it: everybody has it.
	key = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
)

// seen is what each quick start prints.
const seen = `{"database":%q,"container":"products","created":"Yamba Surfboard","replaced":14,"read":14,"query":["Kiama Classic Surfboard","Yamba Surfboard"],"gone":404,"left":[]}`

// place is where port 8081 is the platform's: a network namespace, or else this machine, if nobody listens there.
func place(t *testing.T) *harness.Namespace {
	t.Helper()
	if os.Getuid() == 0 {
		return harness.NewNamespace(t, "emulator")
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("the quick starts need %s, which is taken: %v", address, err)
	}
	l.Close()
	return nil
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestQuickStarts: the three clients, each with its certificate checks off as the emulator's documentation has it, with the platform's authority, and by connection string.
func TestQuickStarts(t *testing.T) {
	inside := place(t)
	p := harness.Start(t, harness.Options{Flags: []string{"--cosmos-emulator"}, Inside: inside})
	for _, client := range []struct {
		name    string
		command func(t *testing.T) []string
		trust   string // the variable that names the authority
	}{
		{"Python", func(t *testing.T) []string {
			return []string{harness.Installed(t, "venv/bin/python"), filepath.Join(root(t), "e2e", "python", "emulator.py")}
		}, "REQUESTS_CA_BUNDLE"},
		{"Node", func(t *testing.T) []string {
			harness.Installed(t, "node")
			return []string{"node", filepath.Join(root(t), "e2e", "node", "emulator.mjs")}
		}, "NODE_EXTRA_CA_CERTS"},
		{"Go", func(t *testing.T) []string {
			program, err := harness.Program("./emulator/quickstart")
			if err != nil {
				t.Fatal(err)
			}
			return []string{program}
		}, "SSL_CERT_FILE"},
	} {
		for _, way := range []struct {
			name, by string
			verify   bool
		}{{"unverified", "key", false}, {"verified", "key", true}, {"string", "connection string", true}, {"unverified-string", "connection string", false}} {
			t.Run(client.name+"/"+way.name, func(t *testing.T) {
				command := client.command(t)
				c := exec.CommandContext(t.Context(), command[0], command[1:]...)
				if inside != nil {
					c = inside.Command(command[0], command[1:]...)
				}
				database := "cosmicworks-" + client.name + "-" + way.name
				c.Env = []string{
					"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "PYTHONUTF8=1", "NODE_MODULES=" + filepath.Join(root(t), ".test", "node"),
					"ENDPOINT=" + endpoint, "KEY=" + key, "DATABASE=" + database, "BY=" + way.by, "VERIFY=false",
				}
				if way.verify {
					c.Env = append(c.Env, "VERIFY=true", client.trust+"="+p.Run.Root)
				} else if client.name == "Node" && way.by != "key" {
					c.Env = append(c.Env, "NODE_TLS_REJECT_UNAUTHORIZED=0")
				}
				run(t, c, database)
			})
		}
	}
}

func run(t *testing.T, c *exec.Cmd, database string) {
	t.Helper()
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, stderr.String())
	}
	var got, want map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("printed %s: %v", out, err)
	}
	name, err := json.Marshal(database)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(bytes.Replace([]byte(seen), []byte("%q"), name, 1), &want); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

// TestControlPlane: the control plane says where the account is served, and its connection strings lead there.
func TestControlPlane(t *testing.T) {
	p := harness.Start(t, harness.Options{Flags: []string{"--cosmos-emulator"}, Inside: place(t)})
	id := "/subscriptions/" + p.Run.SubscriptionID + "/resourceGroups/cosmos-emulator/providers/Microsoft.DocumentDB/databaseAccounts/localhost"
	const version = "?api-version=2024-11-15"
	account, _ := p.ARM(t, "GET", id+version, nil)["properties"].(map[string]any)
	writes, _ := account["writeLocations"].([]any)
	if account["documentEndpoint"] != endpoint || account["sqlEndpoint"] != endpoint || len(writes) != 1 || writes[0].(map[string]any)["documentEndpoint"] != endpoint {
		t.Errorf("the account is shown as %v, want it at %s", account, endpoint)
	}
	list, _ := p.ARM(t, "POST", id+"/listConnectionStrings"+version, nil)["connectionStrings"].([]any)
	if len(list) != 4 || list[0].(map[string]any)["connectionString"] != "AccountEndpoint="+endpoint+";AccountKey="+key+";" {
		t.Errorf("connection strings %v", list)
	}
}

// TestQuickStart_Verified: without the authority and without a switch, a client does not talk to the platform.
func TestQuickStart_Verified(t *testing.T) {
	inside := place(t)
	harness.Start(t, harness.Options{Flags: []string{"--cosmos-emulator"}, Inside: inside})
	program, err := harness.Program("./emulator/quickstart")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program)
	if inside != nil {
		c = inside.Command(program)
	}
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "ENDPOINT=" + endpoint, "KEY=" + key, "DATABASE=d", "BY=key", "VERIFY=true"}
	out, err := c.CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("certificate")) {
		t.Errorf("got %v, %s; want an error about the certificate", err, out)
	}
}
