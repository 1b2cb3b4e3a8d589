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

func TestSearch(t *testing.T) {
	t.Parallel()
	user := &User{DisplayName: "Alice van Dyck", Mail: "alice.dyck@contoso.com"}
	for text, want := range map[string]bool{
		`"displayName:ali"`: true, `"displayName:van"`: true, `"displayName:alice van"`: true, `"displayName:ice"`: false,
		`"displayName:dyck" AND "mail:contoso"`: true, ` "displayName:dyck"  and  "mail:fabrikam" `: false,
	} {
		s, err := parseSearch(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := s.matches(user); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"x", `"x"`, `"displayName:"`, `":x"`, `"displayName:x`, `"a:b" OR "a:c"`, `"a:b" "a:c"`, `"a:b" AND`, `"a:b" AND `} {
		if s, err := parseSearch(text); err == nil {
			t.Errorf("%s was parsed as %v", text, s)
		}
	}
	if s, _ := parseSearch(`"nothing:x"`); s != nil {
		if ok, err := s.matches(user); ok || err == nil {
			t.Error("an unknown property was searched")
		}
	}
}

func FuzzSearch(f *testing.F) {
	f.Add(`"displayName:ali" AND "mail:x"`)
	f.Add(`"`)
	user := &User{DisplayName: "ü b", Mail: "a@b"}
	f.Fuzz(func(_ *testing.T, text string) {
		if s, err := parseSearch(text); err == nil {
			_, _ = s.matches(user)
		}
	})
}

func TestAlternateKey(t *testing.T) {
	t.Parallel()
	for segment, want := range map[string][2]string{
		"(appId='x')": {"appId", "x"}, "('a@b')": {"", "a@b"}, "('it''s')": {"", "it's"}, "(id=x)": {"id", "x"}, "( appId ='x=y')": {"appId", "x=y"}, "('a=b')": {"", "a=b"}, "()": {"", ""},
	} {
		if name, value, ok := alternateKey(segment); !ok || name != want[0] || value != want[1] {
			t.Errorf("%s: got %q %q %v, want %q", segment, name, value, ok, want)
		}
	}
	for _, segment := range []string{"", "x", "(x", "x)", "a(b)", ")("} {
		if name, value, ok := alternateKey(segment); ok {
			t.Errorf("%s was taken as %q %q", segment, name, value)
		}
	}
}

func FuzzRef(f *testing.F) {
	f.Add("https://graph.microsoft.com/v1.0/directoryObjects/11111111-0000-4000-8000-000000000001")
	f.Add("https://graph.microsoft.com/v1.0/directoryObjects('11111111-0000-4000-8000-000000000001')")
	f.Add("users(")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := (&refBody{text}).target()
		if err == nil && len(id) != 36 {
			t.Errorf("%q: got %q", text, id)
		}
	})
}
