package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Command is `bulkhead ARGS --data DIR`, not yet run.
func (p *Platform) Command(args ...string) *exec.Cmd {
	words := append([]string{args[0]}, args[1:]...)
	at := len(words)
	for i, w := range words {
		if w == "--" {
			at = i
			break
		}
	}
	words = append(words[:at:at], append([]string{"--data", p.Data}, words[at:]...)...)
	c := exec.Command(p.bin, words...)
	if n := p.options.Inside; n != nil {
		c = n.Command(p.bin, words...)
	}
	c.Env = cleanEnv()
	if cred := p.credential(); cred != nil {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	}
	return c
}

// cleanEnv is this process's environment without what would point clients somewhere else.
func cleanEnv() []string {
	var env []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(strings.ToUpper(v), "=")
		switch {
		case strings.HasPrefix(name, "AZURE_"), strings.HasPrefix(name, "BULKHEAD_"), strings.HasSuffix(name, "_PROXY"),
			strings.HasSuffix(name, "_CA_BUNDLE"), name == "SSL_CERT_FILE", name == "SSL_CERT_DIR", name == "NODE_EXTRA_CA_CERTS":
		default:
			env = append(env, v)
		}
	}
	return env
}

// Output runs `bulkhead ARGS` and returns what it printed.
func (p *Platform) Output(t testing.TB, args ...string) []byte {
	t.Helper()
	return output(t, p.Command(args...))
}

// Exec runs a command under `bulkhead exec`, as the application named (""; the administrator), with more environment on top, and returns what it printed.
func (p *Platform) Exec(t testing.TB, as string, env []string, command ...string) []byte {
	t.Helper()
	out, err := p.ExecError(as, env, command...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// ExecError is Exec for commands that may fail; the error holds what the command wrote to stderr.
func (p *Platform) ExecError(as string, env []string, command ...string) ([]byte, error) {
	args := []string{"exec"}
	if as != "" {
		args = append(args, "--as", as)
	}
	c := p.Command(append(append(args, "--"), command...)...)
	c.Env = append(c.Env, env...)
	return run(c)
}

func run(c *exec.Cmd) ([]byte, error) {
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s%s", strings.Join(c.Args, " "), err, out, stderr.String())
	}
	return out, err
}

func output(t testing.TB, c *exec.Cmd) []byte {
	t.Helper()
	out, err := run(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Env is what `bulkhead env` prints, by name; as is an application or "" for the administrator.
func (p *Platform) Env(t testing.TB, as string) map[string]string {
	t.Helper()
	args := []string{"env", "--format", "dotenv"}
	if as != "" {
		args = append(args, "--as", as)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(p.Output(t, args...))) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			t.Fatalf("bulkhead env printed %q", line)
		}
		env[name] = strings.Trim(value, "'")
	}
	return env
}

// App is an application with its service principal, as `bulkhead app create` prints it.
type App struct {
	TenantID, AppID, ObjectID, DisplayName string
	Principal                              string `json:"servicePrincipalObjectId"`
	Secret                                 struct{ SecretText, KeyID string }
}

// CreateApp makes an application with a secret in the tenant ("": the platform's first); more are further flags.
func (p *Platform) CreateApp(t testing.TB, tenant, name string, more ...string) App {
	t.Helper()
	if tenant == "" {
		tenant = p.Run.TenantID
	}
	var a App
	p.decode(t, &a, append([]string{"app", "create", "--tenant", tenant, "--name", name}, more...)...)
	return a
}

// CreateTenant makes a directory tenant and returns its id.
func (p *Platform) CreateTenant(t testing.TB, name string) string {
	t.Helper()
	var out struct{ TenantID string }
	p.decode(t, &out, "tenant", "create", "--name", name)
	return out.TenantID
}

// CreateSubscription makes a subscription of a tenant, owned by a principal (object id), and returns its GUID.
func (p *Platform) CreateSubscription(t testing.TB, tenant, name, owner string) string {
	t.Helper()
	var out struct {
		ID string `json:"subscriptionId"`
	}
	p.decode(t, &out, "subscription", "create", "--tenant", tenant, "--name", name, "--owner", owner)
	return out.ID
}

func (p *Platform) decode(t testing.TB, v any, args ...string) {
	t.Helper()
	out := p.Output(t, args...)
	if err := json.Unmarshal(out, v); err != nil {
		t.Fatalf("bulkhead %s printed %s: %v", strings.Join(args, " "), out, err)
	}
}
