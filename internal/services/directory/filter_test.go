package directory

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFilter(t *testing.T) {
	t.Parallel()
	app := &Application{ObjectID: "o", AppID: "a", DisplayName: "It's Contoso", IdentifierURIs: []string{"api://x", "api://y"}}
	for text, want := range map[string]bool{
		"": true, "  ": true,
		"displayName eq 'It''s Contoso'":                         true,
		"displayname EQ 'it''s contoso'":                         true,
		"startswith(displayName,'It''s')":                        true,
		"startsWith( displayName , 'nope' )":                     false,
		"startswith(displayName,'It''s Contoso and far longer')": false,
		"appId eq 'a' and id eq 'o'":                             true,
		"appId eq a and id eq 'z'":                               false,
		"identifierUris/any(c:c eq 'api://y')":                   true,
		"identifierUris/any( u : u eq 'api://z' )":               false,
	} {
		f, err := parseFilter(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got, err := f.matches(app); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"displayName", "displayName eq", "displayName eq 'x", "displayName ne 'x'", "displayName eq 'x' or appId eq 'y'", "eq 'x'", "'x' eq displayName",
		"startswith(displayName 'x')", "startswith(displayName,'x'", "identifierUris/all(c:c eq 'x')", "identifierUris/any(c:d eq 'x')", "identifierUris/any(c:c ne 'x')",
		"not displayName eq 'x'", "displayName eq 'x' and", "displayName eq 'x'appId eq 'y'", "displayName eq '\xff'",
	} {
		if f, err := parseFilter(text); err == nil {
			t.Errorf("%q was parsed as %v", text, f)
		}
	}
	for _, text := range []string{"identifierUris eq 'x'", "displayName/any(c:c eq 'x')", "nothing eq 'x'"} {
		f, err := parseFilter(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if ok, err := f.matches(app); ok || err == nil {
			t.Errorf("%q was evaluated", text)
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add("displayName eq 'It''s' and identifierUris/any(c:c eq 'x')")
	f.Add("startswith(displayName,'')")
	app := &Application{DisplayName: "ü"}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parseFilter(text)
		if err != nil {
			return
		}
		again, err := parseFilter(text)
		if diff := cmp.Diff(parsed, again, cmp.AllowUnexported(condition{})); err != nil || diff != "" {
			t.Errorf("%q parses differently: %v %s", text, err, diff)
		}
		_, _ = parsed.matches(app)
	})
}
