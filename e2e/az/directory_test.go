package az

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

const domain = "default.onmicrosoft.com"

// directory is az signed in as the administrator, with arguments as they are.
type directory struct {
	*cli
	t *testing.T
}

func newDirectory(t *testing.T) directory { return directory{administrator(t), t} }

// run runs az and returns what it printed.
func (c directory) run(args ...string) []byte {
	c.t.Helper()
	out, err := c.line.Run(append(args, "--output", "json")...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// object runs az, which prints an object.
func (c directory) object(args ...string) map[string]any {
	c.t.Helper()
	var v map[string]any
	out := c.run(args...)
	if err := json.Unmarshal(out, &v); err != nil {
		c.t.Fatalf("az %s printed %s: %v", strings.Join(args, " "), out, err)
	}
	return v
}

// text runs az with a query that gives one text.
func (c directory) text(query string, args ...string) string {
	c.t.Helper()
	var v any
	out := c.run(append(args, "--query", query)...)
	if len(out) > 0 {
		if err := json.Unmarshal(out, &v); err != nil {
			c.t.Fatalf("az %s printed %s: %v", strings.Join(args, " "), out, err)
		}
	}
	s, _ := v.(string)
	return s
}

// refused runs az, which must fail and say so.
func (c directory) refused(says string, args ...string) {
	c.t.Helper()
	out, err := c.line.Run(args...)
	if err == nil || !strings.Contains(err.Error(), says) {
		c.t.Errorf("az %s: got %s, %v, want a refusal that says %q", strings.Join(args, " "), out, err, says)
	}
}

func (c directory) equal(what string, got, want any) {
	c.t.Helper()
	if got != want {
		c.t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestUsersAndGroups(t *testing.T) {
	c := newDirectory(t)
	upn := harness.Name("alice") + "@" + domain
	user := c.object("ad", "user", "create", "--user-principal-name", upn, "--display-name", "Alice Adams", "--password", "Correct-Horse7")
	id, _ := user["id"].(string)
	c.equal("listed by name", c.text("[0].id", "ad", "user", "list", "--upn", upn), id)
	c.run("ad", "user", "update", "--id", upn, "--display-name", "Alice B", "--account-enabled", "false")
	c.equal("updated", c.text("displayName", "ad", "user", "show", "--id", upn), "Alice B")
	c.refused("password complexity", "ad", "user", "create", "--user-principal-name", "bob@"+domain, "--display-name", "Bob", "--password", "simple")

	name := harness.Name("group")
	group := c.text("id", "ad", "group", "create", "--display-name", name, "--mail-nickname", name)
	c.equal("made again", c.text("id", "ad", "group", "create", "--display-name", name, "--mail-nickname", name), group)
	c.run("ad", "group", "member", "add", "--group", name, "--member-id", id)
	c.equal("member", c.text("[0].userPrincipalName", "ad", "group", "member", "list", "--group", group), upn)
	c.equal("is a member", c.object("ad", "group", "member", "check", "--group", group, "--member-id", id)["value"], true)
	c.equal("groups of the user", c.text("[0].displayName", "ad", "user", "get-member-groups", "--id", upn), name)
	c.run("ad", "group", "owner", "add", "--group", group, "--owner-object-id", id)
	c.equal("owner", c.text("[0].id", "ad", "group", "owner", "list", "--group", group), id)
	c.run("ad", "group", "owner", "remove", "--group", group, "--owner-object-id", id)
	c.run("ad", "group", "member", "remove", "--group", group, "--member-id", id)
	c.equal("is no member", c.object("ad", "group", "member", "check", "--group", group, "--member-id", id)["value"], false)
	c.run("ad", "group", "delete", "--group", group)
	c.run("ad", "user", "delete", "--id", upn)
	c.refused("does not exist", "ad", "user", "show", "--id", upn)
	c.refused("delegated", "ad", "signed-in-user", "show")
}

func TestApplications(t *testing.T) {
	t.Parallel()
	c := newDirectory(t)
	name := harness.Name("app")
	uri := "api://" + name
	roles := `[{"allowedMemberTypes":["User","Application"],"description":"d","displayName":"Read","isEnabled":true,"value":"Data.Read"}]`
	app := c.text("appId", "ad", "app", "create", "--display-name", name, "--identifier-uris", uri, "--web-redirect-uris", "https://localhost/cb", "--app-roles", roles,
		"--requested-access-token-version", "2", "--enable-id-token-issuance", "true")
	shown := c.object("ad", "app", "show", "--id", uri)
	c.equal("appId", shown["appId"], app)
	role, _ := shown["appRoles"].([]any)[0].(map[string]any)
	c.equal("role", role["value"], "Data.Read")

	sp := c.text("id", "ad", "sp", "create", "--id", app)
	c.equal("by URI", c.text("id", "ad", "sp", "show", "--id", uri), sp)
	c.run("ad", "sp", "update", "--id", app, "--set", "appRoleAssignmentRequired=true")

	const issuer = `{"name":"ci-main","issuer":"https://token.example","subject":"repo:o/r","audiences":["api://AzureADTokenExchange"]}`
	c.run("ad", "app", "federated-credential", "create", "--id", app, "--parameters", issuer)
	c.equal("federated", c.text("[0].subject", "ad", "app", "federated-credential", "list", "--id", app), "repo:o/r")
	c.run("ad", "app", "federated-credential", "delete", "--id", app, "--federated-credential-id", "ci-main")

	// Secrets of both kinds open the door; a removed one does not.
	way := c.p.SuffixWay(t)
	first := c.object("ad", "app", "credential", "reset", "--id", app)
	second := c.object("ad", "sp", "credential", "reset", "--id", app)
	for _, credential := range []map[string]any{first, second} {
		way.Token(t, c.p.Run.TenantID, app, credential["password"].(string), harness.ARMResource)
	}
	keyID := c.text("[0].keyId", "ad", "app", "credential", "list", "--id", app)
	c.run("ad", "app", "credential", "delete", "--id", app, "--key-id", keyID)
	c.run("ad", "app", "credential", "reset", "--id", app, "--create-cert")
	c.equal("certificate", c.text("[0].type", "ad", "app", "credential", "list", "--id", app, "--cert"), "AsymmetricX509Cert")

	const graph = "00000003-0000-0000-c000-000000000000"
	c.run("ad", "app", "permission", "add", "--id", app, "--api", graph, "--api-permissions", "e1fe6dd8-ba31-4d61-89e7-88639da4683d=Scope")
	c.run("ad", "app", "permission", "grant", "--id", app, "--api", graph, "--scope", "User.Read")
	c.equal("grant", c.text("[0].resourceDisplayName", "ad", "app", "permission", "list-grants", "--id", app, "--show-resource-name"), "Microsoft Graph")

	c.run("ad", "app", "delete", "--id", app)
	c.refused("does not exist", "ad", "app", "show", "--id", app)
	deleted := c.text("value[?appId=='"+app+"'].id | [0]", "rest", "--url", "https://graph.microsoft.com/v1.0/directory/deletedItems/microsoft.graph.application")
	c.run("rest", "--method", "post", "--url", "https://graph.microsoft.com/v1.0/directory/deletedItems/"+deleted+"/restore")
	c.equal("restored", c.text("appId", "ad", "app", "show", "--id", uri), app)
}

// What az assigns is effective at the next call, and so is what it takes away: role, group membership, the application itself.
func TestCreateForRBAC(t *testing.T) {
	t.Parallel()
	c := newDirectory(t)
	scope := c.p.PutGroup(t)
	made := c.object("ad", "sp", "create-for-rbac", "--name", harness.Name("sp"), "--role", "Reader", "--scopes", scope)
	app, _ := made["appId"].(string)
	way := c.p.SuffixWay(t)
	token := way.Token(t, c.p.Run.TenantID, app, made["password"].(string), harness.ARMResource)
	read := func(step string, want int) {
		t.Helper()
		c.equal(step, way.Do(t, http.MethodGet, way.ARM()+scope+"?api-version=2021-04-01", harness.Bearer(token), nil).Status, want)
	}
	read("Reader", http.StatusOK)
	c.run("role", "assignment", "delete", "--assignee", app, "--role", "Reader", "--scope", scope)
	read("assignment deleted", http.StatusForbidden)

	name := harness.Name("group")
	group := c.text("id", "ad", "group", "create", "--display-name", name, "--mail-nickname", name)
	sp := c.text("id", "ad", "sp", "show", "--id", app)
	c.equal("type", c.text("principalType", "role", "assignment", "create", "--assignee", group, "--role", "Reader", "--scope", scope), "Group")
	read("not in the group", http.StatusForbidden)
	c.run("ad", "group", "member", "add", "--group", group, "--member-id", sp)
	read("in the group", http.StatusOK)
	c.run("ad", "group", "member", "remove", "--group", group, "--member-id", sp)
	read("out of the group", http.StatusForbidden)

	upn := harness.Name("alice") + "@" + domain
	var user struct{ ObjectID, Password string }
	if err := json.Unmarshal(c.p.Output(t, "user", "create", upn, "--name", "Alice"), &user); err != nil || len(user.Password) != 20 {
		t.Fatalf("bulkhead user create: %+v, %v", user, err)
	}
	c.equal("type", c.text("principalType", "role", "assignment", "create", "--assignee", upn, "--role", "Contributor", "--scope", scope), "User")
	c.equal("name", c.text("[?principalType=='User'].principalName | [0]", "role", "assignment", "list", "--scope", scope), upn)
	c.run("ad", "app", "delete", "--id", app)
	read("the application deleted", http.StatusUnauthorized)
}

// The password of a user comes from the standard input or is drawn, and is never an argument.
func TestUserCreate_PasswordFromStandardInput(t *testing.T) {
	p := shared.Platform(t)
	create := func(stdin string) (string, error) {
		cmd := p.Command("user", "create", harness.Name("bob")+"@"+domain, "--password-stdin")
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := create("Correct-Horse7\n"); err != nil || strings.Contains(out, "Correct-Horse7") || !strings.Contains(out, "objectId") {
		t.Errorf("%s, %v", out, err)
	}
	for _, stdin := range []string{"", "\n", "weak\n"} {
		if out, err := create(stdin); err == nil {
			t.Errorf("password %q: %s", stdin, out)
		}
	}
}
