// Command prepare sets the stage on Bulkhead: the tenants and subscriptions that are there already on Azure, with an administrator in each and an application
// of each customer that calls the service. Then it runs provision, and asks the service for something as one of the customers. It is the only part of the example
// that knows of Bulkhead, by its command line. It may be run again.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// party and input are written for the program provision; see its Input.
type party struct {
	Name           string   `json:"name"`
	TenantID       string   `json:"tenantId"`
	SubscriptionID string   `json:"subscriptionId"`
	ClientID       string   `json:"clientId"`
	Kind           string   `json:"kind,omitempty"`
	Callers        []string `json:"callers,omitempty"`
}

type input struct {
	Publisher party   `json:"publisher"`
	Customers []party `json:"customers"`
}

func main() {
	dir := flag.String("state", "", "folder for what was made: ids and names, no secrets")
	bin := flag.String("bin", "", "folder of the built programs")
	flag.Parse()
	if *dir == "" || *bin == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*dir, *bin); err != nil {
		fmt.Fprintln(os.Stderr, "prepare:", err)
		os.Exit(1)
	}
}

func run(dir, bin string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	parties, made := filepath.Join(dir, "parties.json"), filepath.Join(dir, "service.json")
	in, err := ensureParties(parties)
	if err != nil {
		return err
	}
	env := os.Environ()
	for _, p := range append([]party{in.Publisher}, in.Customers...) {
		secret, err := secretOf(p.ClientID)
		if err != nil {
			return err
		}
		env = append(env, strings.ToUpper(p.Name)+"_CLIENT_SECRET="+secret)
	}
	fmt.Println("The background-check service of examples/backgroundcheck, provisioned through the public APIs:")
	c := exec.Command("bulkhead", "exec", "--as", in.Publisher.ClientID, "--", filepath.Join(bin, "provision"), "-in", parties, "-frontend", filepath.Join(bin, "frontend"))
	c.Env, c.Stderr = env, os.Stdout // what it says is the demo's own text
	out, err := c.Output()
	if err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	if err := save(made, json.RawMessage(out)); err != nil {
		return err
	}
	return tell(in, filepath.Join(bin, "call"), made)
}

// ensureParties reads who takes part from the file, and makes and adds who is missing.
func ensureParties(path string) (*input, error) {
	in := &input{
		Publisher: party{Name: "Publisher"},
		Customers: []party{{Name: "Contoso", Kind: "secret"}, {Name: "Fabrikam", Kind: "certificate"}},
	}
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, in)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for _, p := range []*party{&in.Publisher, &in.Customers[0], &in.Customers[1]} {
		if p.ClientID != "" {
			continue
		}
		if err := p.create(); err != nil {
			return nil, err
		}
		if err := save(path, in); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// create makes a party's directory, subscription, administrator and, for a customer, an application that calls the service. Their secrets stay with Bulkhead, which
// hands them to `bulkhead exec --as`.
func (p *party) create() error {
	var tenant struct{ TenantID string }
	if err := bulkhead(&tenant, "tenant", "create", "--name", p.Name); err != nil {
		return err
	}
	type app struct{ AppID, ServicePrincipalObjectID string }
	var administrator app
	if err := bulkhead(&administrator, "app", "create", "--tenant", tenant.TenantID, "--name", p.Name+" administrator", "--administrator", "--secret=false"); err != nil {
		return err
	}
	var subscription struct{ SubscriptionID string }
	err := bulkhead(&subscription, "subscription", "create", "--tenant", tenant.TenantID, "--name", p.Name, "--owner", administrator.ServicePrincipalObjectID)
	if err != nil {
		return err
	}
	p.Callers = nil
	if p.Kind != "" {
		var caller app
		if err := bulkhead(&caller, "app", "create", "--tenant", tenant.TenantID, "--name", p.Name+" HR system", "--secret=false"); err != nil {
			return err
		}
		p.Callers = []string{caller.AppID}
	}
	p.TenantID, p.SubscriptionID, p.ClientID = tenant.TenantID, subscription.SubscriptionID, administrator.AppID
	return nil
}

// secretOf is the secret of an application that Bulkhead keeps for its operator.
func secretOf(clientID string) (string, error) {
	out, err := output(exec.Command("bulkhead", "env", "--as", clientID, "--format", "dotenv"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "AZURE_CLIENT_SECRET="); ok {
			return strings.Trim(v, "'"), nil
		}
	}
	return "", fmt.Errorf("bulkhead env --as %s tells no secret", clientID)
}

// tell asks the service for something as the first customer, and says how to go on.
func tell(in *input, call, made string) error {
	contoso := in.Customers[0]
	first := exec.Command("bulkhead", "exec", "--as", contoso.Callers[0], "--", call, "-service", made, "PUT", "/checks/demo-1",
		`{"candidate":"Ada Lovelace","position":"Analyst","status":"running"}`)
	first.Stderr = os.Stderr
	out, err := first.Output()
	if err != nil {
		return fmt.Errorf("call the service as %s: %w\n%s", contoso.Name, err, out)
	}
	fmt.Printf("\nA first request, as %s:\n%s", contoso.Name, indent(out))
	platform, err := platformCommand()
	if err != nil {
		return err
	}
	call, made = short(call), short(made)
	fmt.Println("\nTry, from this folder:")
	for _, c := range in.Customers {
		fmt.Printf("  %s exec%s --as %s -- %s -service %s GET '/checks?status=running'   # %s\n", platform.bin, platform.data, c.Callers[0], call, made, c.Name)
	}
	for line := range strings.Lines(string(out)) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "correlation id: "); ok {
			fmt.Printf("  %s trace%s %s   # every hop of that request: who, and allowed by what\n", platform.bin, platform.data, id)
		}
	}
	return nil
}

// platformCommand is how to call the bulkhead in use from the current folder: its name, and the flag that it needs unless its data is where it looks by itself.
func platformCommand() (c struct{ bin, data string }, err error) {
	if c.bin, err = exec.LookPath("bulkhead"); err != nil {
		return c, err
	}
	c.bin = short(c.bin)
	if data := short(os.Getenv("BULKHEAD_DATA")); data != "" && data != "bulkhead-data" {
		c.data = " --data " + data
	}
	return c, nil
}

// short is a path as seen from the current folder, where that is below it.
func short(path string) string {
	here, err := os.Getwd()
	if err != nil || path == "" {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

func indent(b []byte) string {
	var out strings.Builder
	for line := range strings.Lines(string(b)) {
		out.WriteString("  " + line)
	}
	return out.String()
}

// bulkhead runs a command of the platform and decodes what it prints.
func bulkhead(v any, args ...string) error {
	out, err := output(exec.Command("bulkhead", args...))
	if err != nil {
		return err
	}
	return json.Unmarshal(out, v)
}

// output runs a command and returns what it printed; what it complains about goes on to people.
func output(c *exec.Cmd) ([]byte, error) {
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", filepath.Base(c.Args[0]), c.Args[1], err)
	}
	return out, nil
}

// save writes v whole or not at all.
func save(path string, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", b.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
