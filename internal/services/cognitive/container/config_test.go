package container

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const testKey = "0123456789abcdef0123456789abcdef"

func good(more ...string) []string {
	return append([]string{"eula=accept", "apikey=" + testKey, "billing=https://westus.api.cognitive.microsoft.com/text/analytics/v2.0"}, more...)
}

func TestParse(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	for _, c := range []struct {
		name    string
		args    []string
		environ []string
		check   func(c *Config) string // what is wrong, "" for nothing
	}{
		{"any case, any prefix", []string{"EULA=Accept", "--ApiKey=" + testKey, "/Billing=https://x.cognitiveservices.azure.com"}, nil, func(c *Config) string {
			return differs(c.Billing.String(), "https://x.cognitiveservices.azure.com")
		}},
		{"a billing URL of 2018 has a path", good(), nil, func(c *Config) string {
			return differs(c.Billing.String(), "https://westus.api.cognitive.microsoft.com")
		}},
		{"environment", nil, []string{"Eula=accept", "APIKEY=" + testKey, "billing=http://127.0.0.1:9", "Logging__Console__LogLevel__Default=Debug", "PATH=/bin"}, func(c *Config) string {
			return differs(fmt.Sprint(c.Console, c.Unknown), "DEBUG []")
		}},
		{"arguments win", good("logging:console:loglevel:default=None"), []string{"apikey=" + strings.Repeat("f", 32), "logging__console__loglevel__default=Trace"}, func(c *Config) string {
			return differs(string(c.APIKey)+fmt.Sprint(c.Console == levelOff), testKey+"true")
		}},
		{"proxy", good("HTTP_PROXY=http://proxy:8888", "HTTP_PROXY_CREDS=user:pa:ss"), nil, func(c *Config) string {
			return differs(c.Proxy.String(), "http://user:pa%3Ass@proxy:8888")
		}},
		{"proxy without a scheme", good("HTTP_PROXY=proxy:8888"), nil, func(c *Config) string { return differs(c.Proxy.String(), "http://proxy:8888") }},
		{"disk", good("Logging:Disk:Format=json", "Mounts:Output="+out, "Logging:Disk:MaxFileSize=-1", "Logging:Disk:LogLevel=Warning"), nil, func(c *Config) string {
			return differs(fmt.Sprint(*c.Disk), fmt.Sprint(Disk{slog.LevelWarn, 0}))
		}},
		{"fluentd", good("Fluentd:Host=logs", "Fluentd:Port=1234"), nil, func(c *Config) string { return differs(c.Fluentd.Address, "logs:1234") }},
		{"unknown", good("apikye=x", "ApplicationInsights:InstrumentationKey=1"), nil, func(c *Config) string {
			return differs(fmt.Sprint(c.Unknown, len(c.Ignored)), "[apikye] 1")
		}},
	} {
		got, err := Parse(c.args, c.environ)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if wrong := c.check(got); wrong != "" {
			t.Errorf("%s: %s", c.name, wrong)
		}
	}
}

func differs(got, want string) string {
	if got == want {
		return ""
	}
	return fmt.Sprintf("got %q, want %q", got, want)
}

func TestParse_Refuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "does not start without eula=accept, apikey=KEY, billing=URL"},
		{[]string{"eula=accept", "billing=https://x.example"}, "does not start without apikey=KEY:"},
		{[]string{"eula=accept", "apikey=" + testKey, "billing="}, "does not start without billing=URL:"},
		{[]string{"eula=maybe", "apikey=" + testKey, "billing=https://x.example"}, "the argument eula is not accept"},
		{[]string{"eula=accept", "apikey=short", "billing=https://x.example"}, "the argument apikey is no key"},
		{[]string{"eula=accept", "apikey=" + testKey, "billing=http://x.example"}, "the argument billing has the scheme \"http\""},
		{[]string{"eula=accept", "apikey=" + testKey, "billing=here"}, "the argument billing is no URL"},
		{[]string{"eula=accept", "apikey=" + testKey, "billing=https://user:pass@x.example"}, "the argument billing is no URL"},
		{good("accept"), "isn't of the form Key=Value"},
		{good("HTTP_PROXY=://secret"), "the argument HTTP_PROXY is no URL"},
		{good("Logging:Disk:Format=xml"), "json is the only one"},
		{good("Logging:Disk:Format=json", "Mounts:Output=/does/not/exist"), "logging on disk needs a folder"},
		{good("Logging:Console:LogLevel:Default=Loud"), "the log level \"Loud\""},
		{good("Fluentd:Host=x", "Fluentd:Port=no"), "the argument Fluentd:Port is no port"},
	} {
		_, err := Parse(c.args, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v; want %q", c.args, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: the error tells a secret: %v", c.args, err)
		}
	}
}

func TestSecret_Redacted(t *testing.T) {
	t.Parallel()
	s := Secret(testKey)
	j, _ := json.Marshal(struct{ Key Secret }{s})
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", s)
	for _, got := range []string{s.String(), string(j), fmt.Sprintf("%v %s", s, s), log.String()} {
		if strings.Contains(got, testKey) {
			t.Errorf("%s tells the key", got)
		}
	}
}

// FuzzParse: no arguments panic, and none that lack one of the three start a container.
func FuzzParse(f *testing.F) {
	f.Add("eula=accept\napikey="+testKey+"\nbilling=https://x.example\nHTTP_PROXY=http://p:1\nHTTP_PROXY_CREDS=a:b", "Logging__Disk__Format=json")
	f.Add("billing=https://[::1]:99999/%zz", "Fluentd__Host=::1")
	f.Fuzz(func(t *testing.T, args, environ string) {
		c, err := Parse(strings.Split(args, "\n"), strings.Split(environ, "\n"))
		if err == nil && (c.Billing == nil || c.APIKey == "") {
			t.Fatalf("%q %q: started without a key or an endpoint", args, environ)
		}
		if err != nil && len(err.Error()) > len(args)+len(environ)+2000 {
			t.Fatalf("an error of %d bytes", len(err.Error()))
		}
	})
}
