package armclient

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const monitor = "subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/virtualMachines/VM/providers/Microsoft.WorkloadMonitor/monitors/M?api-version=2018-08-31-preview"

func TestParse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file_name.json")
	if err := os.WriteFile(file, []byte(`{"a":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const arm = "https://management.azure.com/"
	for _, tt := range []struct {
		name  string
		args  []string
		verb  string
		url   string
		body  string
		notes int
	}{
		{"capital verb, no slash", []string{"GET", monitor}, "GET", arm + monitor, "", 0},
		{"small verb, slash", []string{"get", "/" + monitor}, "GET", arm + monitor, "", 0},
		{"full address", []string{"Get", arm + monitor}, "GET", arm + monitor, "", 0},
		{"other host", []string{"GET", "https://graph.microsoft.com/v1.0/users"}, "GET", "https://graph.microsoft.com/v1.0/users", "", 0},
		{"typographic quotes around the address", []string{"GET", "\u201c" + monitor + "\u201d"}, "GET", arm + monitor, "", 0},
		{"one quote left", []string{"GET", monitor + "\u201d"}, "GET", arm + monitor, "", 0},
		{
			"a torn api-version before the body",
			[]string{"patch", "\u201c" + monitor, "1-preview", "{'properties':{'alertGeneration':\u2019Disabled\u2019 }}"},
			"PATCH", arm + monitor, "{'properties':{'alertGeneration':\u2019Disabled\u2019 }}", 1,
		},
		{"a remark behind the body", []string{"PUT", monitor, "@" + file, "(JSON", "Script)"}, "PUT", arm + monitor, `{"a":1}`, 2},
		{"a file", []string{"PUT", monitor, "@" + file}, "PUT", arm + monitor, `{"a":1}`, 0},
		{"a body that is no object", []string{"POST", monitor, "text"}, "POST", arm + monitor, "text", 0},
		{"no body", []string{"POST", monitor}, "POST", arm + monitor, "", 0},
		{"spaces in names", []string{"GET", "subscriptions/S/resourceGroups/My Group?api-version=1"}, "GET", arm + "subscriptions/S/resourceGroups/My%20Group?api-version=1", "", 0},
		{"an address in the query", []string{"GET", "providers/X?u=https://a/b"}, "GET", arm + "providers/X?u=https://a/b", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := Parse(tt.args)
			if err != nil {
				t.Fatal(err)
			}
			if l.Verb != tt.verb || l.URL.String() != tt.url || string(l.Body) != tt.body || len(l.Notes) != tt.notes || l.SignIn() {
				t.Errorf("got %s %s %q, notes %q", l.Verb, l.URL, l.Body, l.Notes)
			}
		})
	}
}

func TestParse_FlagsAnywhere(t *testing.T) {
	l, err := Parse([]string{"-verbose", "GET", "-h", "if-match: \"1\"", monitor, "-h", "If-Match:2"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(http.Header{"If-Match": {`"1"`, "2"}}, l.Header); d != "" || !l.Verbose {
		t.Errorf("verbose %v, header -want +got\n%s", l.Verbose, d)
	}
}

func TestParse_SignInVerbs(t *testing.T) {
	l, err := Parse([]string{"Token", "https://vault.azure.net"})
	if err != nil || !l.SignIn() || l.Verb != "token" || !slices.Equal(l.Args, []string{"https://vault.azure.net"}) {
		t.Errorf("got %+v, %v", l, err)
	}
}

func TestParse_Refused(t *testing.T) {
	for name, args := range map[string][]string{
		"nothing":         nil,
		"no such verb":    {"frob", "x"},
		"no path":         {"GET"},
		"empty path":      {"GET", "''"},
		"plain http":      {"GET", "http://management.azure.com/x"},
		"a user's name":   {"GET", "https://me:pw@management.azure.com/x"},
		"control bytes":   {"GET", "a\nb"},
		"two bodies":      {"PUT", monitor, "{}", "{}"},
		"a stray word":    {"PUT", monitor, "stray", "{}"},
		"body of a GET":   {"GET", monitor, "{}"},
		"header no value": {"GET", monitor, "-h"},
		"header no colon": {"GET", monitor, "-h", "x"},
		"header injected": {"GET", monitor, "-h", "x: y\r\nz: a"},
	} {
		if l, err := Parse(args); !errors.Is(err, ErrUsage) {
			t.Errorf("%s: got %+v, %v; want wrong usage", name, l, err)
		}
	}
	if _, err := Parse([]string{"PUT", monitor, "@no-such-file.json"}); err == nil || errors.Is(err, ErrUsage) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v, want a failure, not wrong usage", err)
	}
}

func TestPretty(t *testing.T) {
	for in, want := range map[string]string{
		`{"b":1,"a":"<>"}`:        "{\n  \"b\": 1,\n  \"a\": \"<>\"\n}\n",
		"{'single': 'quotes'}":    "{'single': 'quotes'}\n",
		"plain\n":                 "plain\n",
		`{"n":12345678901234567}`: "{\n  \"n\": 12345678901234567\n}\n",
	} {
		if got := string(pretty([]byte(in))); got != want {
			t.Errorf("pretty(%s) = %q, want %q", in, got, want)
		}
	}
}

// Whatever is typed, an accepted line goes to an https host, without credentials in it, and its header can be sent.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"GET\n" + monitor, "patch\n\u201cx\n1-preview\n{'a':1}", "token\nhttps://x", "get\n-h\na: b\nhttps://h/p?q=1#f", "put\nx\n{}\n(a\nb)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		args := strings.Split(s, "\n")
		if slices.ContainsFunc(args, func(a string) bool { return strings.Contains(a, "@") }) {
			return // files are not for this test to read
		}
		l, err := Parse(args)
		if err != nil || l.SignIn() {
			return
		}
		if l.URL.Scheme != "https" || l.URL.Host == "" || l.URL.User != nil || !slices.Contains(requestVerbs, l.Verb) {
			t.Fatalf("%q became %s %s", args, l.Verb, l.URL)
		}
		if _, err := http.NewRequest(l.Verb, l.URL.String(), nil); err != nil {
			t.Fatalf("%q can't be sent: %v", args, err)
		}
	})
}
