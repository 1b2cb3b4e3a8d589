// Package az runs Azure's command line, unchanged, against the binary. scripts/clients installs it.
package az

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

var shared harness.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

// skipVariable leaves the packages with Python and Node clients out.
const skipVariable = "BULKHEAD_SKIP_CLIENTS"

// cli is one signed-in command line with a configuration folder of its own.
type cli struct {
	p      *harness.Platform
	binary string
	line   *harness.AZ
	vars   *strings.Replacer // $NAME in commands
}

// newCLI is a command line that nobody has signed in with yet.
func newCLI(t *testing.T) *cli {
	t.Helper()
	if os.Getenv(skipVariable) == "1" {
		t.Skip(skipVariable + "=1: az is not run")
	}
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	c := &cli{p: shared.Platform(t), binary: os.Getenv("BULKHEAD_AZ"), vars: strings.NewReplacer()}
	if c.binary == "" {
		c.binary = filepath.Join(root, ".test", "az", "bin", "az")
	}
	c.line = c.p.NewAZ(t, c.binary)
	return c
}

// administrator is a command line that is signed in as the platform's administrator. More pairs are further $NAME, value of commands.
func administrator(t *testing.T, pairs ...string) *cli {
	t.Helper()
	c := newCLI(t)
	env := c.p.Env(t, "")
	c.set(append([]string{
		"$SUB", env["AZURE_SUBSCRIPTION_ID"], "$TENANT", env["AZURE_TENANT_ID"], "$APP", env["AZURE_CLIENT_ID"], "$SECRET", env["AZURE_CLIENT_SECRET"],
	}, pairs...)...)
	c.do(t, "login --service-principal -u $APP -p $SECRET --tenant $TENANT")
	c.do(t, "account set --subscription $SUB") // a test beside this one may have made another
	return c
}

// set defines what stands for $NAMEs.
func (c *cli) set(pairs ...string) { c.vars = strings.NewReplacer(pairs...) }

// args splits a command at blanks; a word in single quotes may hold some.
func (c *cli) args(command string) []string {
	var out []string
	for i, part := range strings.Split(command, "'") {
		if i%2 == 1 {
			out = append(out, c.vars.Replace(part))
			continue
		}
		for _, w := range strings.Fields(part) {
			out = append(out, c.vars.Replace(w))
		}
	}
	return out
}

func (c *cli) run(command string) ([]byte, error) { return c.line.Run(c.args(command)...) }

// do runs a command that must succeed and returns what it printed.
func (c *cli) do(t *testing.T, command string) []byte {
	t.Helper()
	out, err := c.run(command)
	if err != nil {
		t.Fatalf("az %s: %v", command, err)
	}
	return out
}

// text is do for a command with a --query of one value.
func (c *cli) text(t *testing.T, command string) string {
	t.Helper()
	return strings.TrimSpace(string(c.do(t, command+" -o tsv")))
}

// fails runs a command that must fail, naming want.
func (c *cli) fails(t *testing.T, command, want string) {
	t.Helper()
	out, err := c.run(command)
	if err == nil {
		t.Errorf("az %s succeeded: %s", command, out)
	} else if !strings.Contains(err.Error(), want) {
		t.Errorf("az %s: %v\nwant it to name %q", command, err, want)
	}
}

// step is a command, and what its --query prints.
type step struct{ command, query, want string }

// steps runs commands in turn; the first that fails or prints something else ends the test.
func (c *cli) steps(t *testing.T, steps ...step) {
	t.Helper()
	for _, s := range steps {
		command := s.command
		if s.query != "" {
			command += " --query '" + s.query + "'"
		}
		out := c.do(t, command+" -o json")
		if s.query == "" {
			continue
		}
		var got any
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("az %s printed %s: %v", command, out, err)
		}
		b, _ := json.Marshal(got)
		if want := c.vars.Replace(s.want); string(b) != want {
			t.Fatalf("az %s printed %s, want %s", c.vars.Replace(command), b, want)
		}
	}
}
