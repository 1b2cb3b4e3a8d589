// Package reach tests the ways in that the command line offers: isolated commands, armclient's command lines, and what an operator asks.
package reach

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

var shared harness.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

// nobody is an unprivileged user, named by number since not every system has one of that name.
const nobody = 65534

// eachUser runs test with a platform of the test's own user and, where that is root, of an unprivileged one.
func eachUser(t *testing.T, test func(t *testing.T, p *harness.Platform, user int)) {
	t.Helper()
	t.Run("own", func(t *testing.T) {
		p := shared.Platform(t)
		allowed(t, p)
		test(t, p, 0)
	})
	if os.Getuid() == 0 {
		t.Run("nobody", func(t *testing.T) {
			p := harness.Start(t, harness.Options{User: nobody})
			allowed(t, p)
			test(t, p, nobody)
		})
	}
}

// allowed skips the test on systems that refuse namespaces to the platform's user, as many containers do.
func allowed(t *testing.T, p *harness.Platform) {
	t.Helper()
	if _, err := isolated(p, "", nil, "true"); err != nil && strings.Contains(err.Error(), "does not allow the namespaces") {
		t.Skip(err)
	}
}

// isolated runs a command under exec --isolate with more environment on top.
func isolated(p *harness.Platform, as string, env []string, command ...string) (string, error) {
	args := []string{"exec", "--isolate"}
	if as != "" {
		args = append(args, "--as", as)
	}
	c := p.Command(append(append(args, "--"), command...)...)
	// A proxy that the user had set before is of no use inside.
	c.Env = append(append(c.Env, "HTTPS_PROXY=http://127.0.0.1:1", "https_proxy=http://127.0.0.1:1"), env...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		err = errors.Join(err, errors.New(stderr.String()))
	}
	return string(out), err
}

// usable tells whether the user can run the program: a source tree or an interpreter may be closed to them.
func usable(t *testing.T, user int, program ...string) {
	t.Helper()
	c := exec.Command(program[0], program[1:]...)
	if user != 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}}
	}
	if out, err := c.CombinedOutput(); err != nil {
		t.Skipf("user %d can't run %s here: %v %s", user, program[0], err, out)
	}
}

func script(t *testing.T, name string) string {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "e2e", name)
}

// One program reads a secret and writes an item; it has no word about Bulkhead in it and no proxy around it.
func TestIsolate_GoAndPython(t *testing.T) {
	program, err := harness.Program("./goclients/plain")
	if err != nil {
		t.Fatal(err)
	}
	eachUser(t, func(t *testing.T, p *harness.Platform, user int) {
		group := p.PutGroup(t)
		app := p.CreateApp(t, "", harness.Name("app-"))
		vault := p.PutVault(t, group, "", harness.Policy{ObjectID: app.Principal, Secrets: []string{"get", "set"}})
		account := p.PutAccount(t, group)
		id := group + "/providers/Microsoft.DocumentDB/databaseAccounts/" + account
		p.ARM(t, "PUT", id+"/providers/Microsoft.Authorization/roleAssignments/11111111-2222-3333-4444-555555555555?api-version=2022-04-01", map[string]any{
			"properties": map[string]any{
				"principalId": app.Principal,
				"roleDefinitionId": "/subscriptions/" + p.Run.SubscriptionID +
					"/providers/Microsoft.Authorization/roleDefinitions/5bd9cd88-fe45-4216-938b-f97437e15450", // DocumentDB Account Contributor
			},
		})
		url := "https://" + vault + ".vault.azure.net"
		t.Run("go", func(t *testing.T) {
			usable(t, user, "test", "-x", program)
			out, err := isolated(p, app.AppID, []string{"VAULT_URL=" + url, "ACCOUNT_ID=" + id, "ACCOUNT_URL=https://" + account + ".documents.azure.com:443/"}, program)
			if err != nil {
				t.Fatal(err)
			}
			if want := `{"Secret":"hello","Item":"written"}` + "\n"; out != want {
				t.Errorf("printed %s, want %s", out, want)
			}
		})
		t.Run("python", func(t *testing.T) {
			python := filepath.Join(harness.Installed(t, "venv"), "bin", "python")
			usable(t, user, python, "--version")
			out, err := isolated(p, app.AppID, []string{
				"AUTHORITY=", "TENANT_ID=" + app.TenantID, "CLIENT_ID=" + app.AppID, "CREDENTIAL=secret", "CLIENT_SECRET=" + app.Secret.SecretText,
				"VAULT_URL=" + url, "SECRET_NAME=plain",
			}, python, script(t, "python/readsecret.py"))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out, `"value": "hello"`) {
				t.Errorf("printed %s", out)
			}
		})
	})
}

// az signs in and makes a group with nothing but Azure's names around it.
func TestIsolate_Az(t *testing.T) {
	p := shared.Platform(t)
	allowed(t, p)
	az := os.Getenv("BULKHEAD_AZ")
	if az == "" {
		az = filepath.Join(harness.Installed(t, "az"), "bin", "az")
	}
	const script = `"$AZ" login --service-principal -u "$AZURE_CLIENT_ID" -p "$AZURE_CLIENT_SECRET" --tenant "$AZURE_TENANT_ID" -o none
"$AZ" group create -n isolated-az -l westeurope -o none
"$AZ" group show -n isolated-az --query location -o tsv`
	out, err := isolated(p, "", []string{"AZ=" + az}, "sh", "-eu", "-c", script)
	if err != nil || strings.TrimSpace(out) != "westeurope" {
		t.Errorf("printed %s, %v", out, err)
	}
}

// curl without a variable of its own: the system's roots, the system's resolver. Names under the own suffix work as well as Azure's.
func TestIsolate_Curl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip(err)
	}
	eachUser(t, func(t *testing.T, p *harness.Platform, _ int) {
		for url, want := range map[string]string{
			"https://management.azure.com/metadata/endpoints?api-version=2015-01-01":                                   `"loginEndpoint":"https://login.microsoftonline.com"`,
			"https://management." + p.Run.Suffix + ":" + p.Port() + "/metadata/endpoints?api-version=2015-01-01":       `"loginEndpoint":"https://login.` + p.Run.Suffix + ":" + p.Port() + `/adfs"`,
			"http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://x.invalid/": `"error":`, // no identity was asked for
		} {
			out, err := isolated(p, "", nil, "env", "-u", "SSL_CERT_FILE", "-u", "CURL_CA_BUNDLE", "curl", "-sS", "-H", "Metadata: true", url)
			if err != nil || !strings.Contains(out, want) {
				t.Errorf("%s = %s, %v; want %s", url, out, err, want)
			}
		}
		if out, err := isolated(p, "", nil, "curl", "-sS", "https://example.com/"); err == nil || !strings.Contains(err.Error(), "resolve") {
			t.Errorf("a foreign host: %q, %v; want that it can't be resolved", out, err)
		}
	})
}

// The metadata service at its one address gives a token of the identity that exec was told, with no proxy and no secret in between.
func TestIsolate_ManagedIdentity(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip(err)
	}
	eachUser(t, func(t *testing.T, p *harness.Platform, _ int) {
		identity := p.PutIdentity(t, p.PutGroup(t))
		const url = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net"
		out, err := p.Command("exec", "--isolate", "--identity", identity.ID, "--", "curl", "-sS", "-H", "Metadata: true", url).CombinedOutput()
		if err != nil {
			t.Fatalf("%v %s", err, out)
		}
		var token struct {
			Token    string `json:"access_token"`
			ClientID string `json:"client_id"`
		}
		if err := json.Unmarshal(out, &token); err != nil || token.Token == "" || token.ClientID != identity.ClientID {
			t.Errorf("got %s, %v; want a token of client %s", out, err, identity.ClientID)
		}
	})
}

// The platform's own commands work inside too: the front door is on its port there, the admin socket where it was.
func TestIsolate_OwnCommands(t *testing.T) {
	eachUser(t, func(t *testing.T, p *harness.Platform, _ int) {
		self := p.Command("up").Path
		out, err := isolated(p, "", nil, self, "armclient", "--data", p.Data, "GET", "subscriptions?api-version=2021-01-01")
		if err != nil || !strings.Contains(out, p.Run.SubscriptionID) {
			t.Errorf("armclient inside: %s, %v", out, err)
		}
	})
}

// The exit code is the command's, SIGTERM reaches it, and the end of exec, even by SIGKILL, is the end of everything it started.
func TestIsolate_Ends(t *testing.T) {
	eachUser(t, func(t *testing.T, p *harness.Platform, _ int) {
		_, err := isolated(p, "", nil, "sh", "-c", "exit 7")
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 7 {
			t.Errorf("got %v, want exit code 7", err)
		}
		for _, tt := range []struct {
			signal syscall.Signal
			code   int
		}{{syscall.SIGTERM, 42}, {syscall.SIGKILL, -1}} {
			c := p.Command("exec", "--isolate", "--", "sh", "-c", `trap 'exit 42' TERM; setsid sleep 300 & echo up; while :; do sleep 0.05; done`)
			out := &watched{}
			c.Stdout, c.Stderr, c.WaitDelay = out, out, 10*time.Second
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			out.wait(t, "up")
			if err := c.Process.Signal(tt.signal); err != nil {
				t.Fatal(err)
			}
			if err := c.Wait(); errors.Is(err, exec.ErrWaitDelay) {
				t.Errorf("after %s something still holds the command's output", tt.signal)
			}
			if got := c.ProcessState.ExitCode(); got != tt.code {
				t.Errorf("after %s: exit code %d, want %d", tt.signal, got, tt.code)
			}
		}
	})
}

// Where namespaces are not allowed the command does not run, and is told why and what else works. A user namespace with a limit of none stands for such a system.
func TestIsolate_Refused(t *testing.T) {
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip(err)
	}
	const limit = "echo 0 >/proc/sys/user/max_net_namespaces"
	if out, err := exec.Command(unshare, "-Ur", "sh", "-c", limit).CombinedOutput(); err != nil {
		t.Skipf("no user namespaces here to test in: %v %s", err, out)
	}
	p := shared.Platform(t)
	limited := func(command ...string) *exec.Cmd {
		c := p.Command(command...)
		c.Args = append([]string{"unshare", "-Ur", "sh", "-c", limit + ` && exec "$0" "$@"`, c.Path}, c.Args[1:]...)
		c.Path = unshare
		return c
	}
	out, err := limited("exec", "--isolate", "--", "echo", "it ran").CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "max_net_namespaces") || !strings.Contains(string(out), "Without --isolate") ||
		strings.Contains(string(out), "it ran") {
		t.Errorf("got %v, printed %s", err, out)
	}
	if out, _ := limited("doctor").CombinedOutput(); !strings.Contains(string(out), "note  namespaces   this system does not allow") {
		t.Errorf("doctor printed %s", out)
	}
}

// The command decides what a signal means, by every way: exec passes it on and waits, be it an interrupt or the request to end.
func TestExec_PassesSignals(t *testing.T) {
	p := shared.Platform(t)
	for _, tt := range []struct {
		signal syscall.Signal
		name   string
	}{{syscall.SIGINT, "INT"}, {syscall.SIGTERM, "TERM"}, {syscall.SIGHUP, "HUP"}, {syscall.SIGUSR1, "USR1"}} {
		if signal.Ignored(tt.signal) { // as under nohup: a shell can't trap what was ignored when it began
			ch := make(chan os.Signal, 1)
			signal.Notify(ch, tt.signal)
			defer signal.Stop(ch)
		}
		c := p.Command("exec", "--", "sh", "-c", `trap 'sleep 0.3; exit 42' `+tt.name+`; echo up; i=0; while [ $i -lt 400 ]; do sleep 0.05; i=$((i+1)); done`)
		out := &watched{}
		c.Stdout, c.Stderr, c.WaitDelay = out, out, 10*time.Second
		if c.SysProcAttr == nil {
			c.SysProcAttr = &syscall.SysProcAttr{}
		}
		c.SysProcAttr.Setsid = true // no terminal, whose interrupt the command would get by itself
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		out.wait(t, "up")
		if err := c.Process.Signal(tt.signal); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
		if got := c.ProcessState.ExitCode(); got != 42 {
			t.Errorf("after SIG%s: exit code %d, want the trap's 42", tt.name, got)
		}
	}
}

// watched is an output that one can wait for.
type watched struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(b)
}

func (w *watched) wait(t *testing.T, word string) {
	t.Helper()
	for range 1000 {
		w.mu.Lock()
		s := w.buf.String()
		w.mu.Unlock()
		if strings.Contains(s, word) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("never printed %q", word)
}
