package container

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// Secret is a value that prints as redacted.
type Secret string

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// String implements fmt.Stringer.
func (Secret) String() string { return "[redacted]" }

// MarshalJSON implements json.Marshaler.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// Config is how a container was started.
type Config struct {
	APIKey  Secret
	Billing *url.URL // scheme and host only: where the account is
	Proxy   *url.URL // nil: none; with its credentials

	Console slog.Level // what is logged on the console
	Disk    *Disk      // nil: nothing is logged on disk
	Output  string     // the folder for what the container writes; "" for none
	Fluentd *Fluentd   // nil: logs don't go to a Fluentd server

	Unknown []string // keys of arguments that mean nothing, as they were written
	Ignored []string // arguments that are known and do nothing here, and why
}

// Disk is logging on disk.
type Disk struct {
	Level slog.Level
	// MaxSize is when a file is ended and another begun, in bytes; 0: never.
	MaxSize int64
}

// Fluentd is where logs go by the forward protocol.
type Fluentd struct{ Address, Tag string }

// levelOff is above every level.
const levelOff = slog.Level(100)

// Parse reads a container's arguments ("apikey=...") and environment (as os.Environ gives it); arguments win. The error names every argument of the three demanded that is
// missing or wrong, and never the key.
func Parse(args, environ []string) (*Config, error) {
	given := map[string]string{} // by folded key
	c := &Config{Console: slog.LevelInfo}
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok && known(fold(k)) {
			given[fold(k)] = v
		}
	}
	for _, arg := range args {
		k, v, ok := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "--"), "/"), "=")
		switch {
		case !ok:
			return nil, errors.New("an argument isn't of the form Key=Value; those of a container are, as in eula=accept")
		case !known(fold(k)):
			c.Unknown = append(c.Unknown, k)
		default:
			given[fold(k)] = v
		}
	}
	return c, errors.Join(c.demanded(given), c.proxy(given), c.logging(given), c.others(given))
}

// fold gives a key's one form: lower case, with ":" between its parts.
func fold(key string) string { return strings.ToLower(strings.ReplaceAll(key, "__", ":")) }

// known tells whether a folded key is one of a container's.
func known(key string) bool {
	switch key {
	case "eula", "apikey", "billing", "http_proxy", "http_proxy_creds", "mounts:output", "mounts:input":
		return true
	}
	for _, group := range []string{"logging:console:", "logging:disk:", "fluentd:", "applicationinsights:"} {
		if strings.HasPrefix(key, group) {
			return true
		}
	}
	return false
}

// demanded reads the three arguments without which a container doesn't start.
func (c *Config) demanded(given map[string]string) error {
	var missing []string
	for _, k := range [][2]string{{"eula", "eula=accept"}, {"apikey", "apikey=KEY"}, {"billing", "billing=URL"}} {
		if strings.TrimSpace(given[k[0]]) == "" {
			missing = append(missing, k[1])
		}
	}
	var errs []error
	if len(missing) > 0 {
		errs = append(errs, fmt.Errorf("the container does not start without %s: give the key and the endpoint of a Cognitive Services account, and accept the terms", strings.Join(missing, ", ")))
	}
	if v := given["eula"]; strings.TrimSpace(v) != "" && !strings.EqualFold(strings.TrimSpace(v), "accept") {
		errs = append(errs, errors.New("the argument eula is not accept: the terms must be accepted with eula=accept"))
	}
	c.APIKey = Secret(strings.TrimSpace(given["apikey"]))
	if len(c.APIKey) > 0 && !wellFormedKey(string(c.APIKey)) {
		errs = append(errs, errors.New("the argument apikey is no key: keys have 16 to 128 letters and digits"))
	}
	if v := strings.TrimSpace(given["billing"]); v != "" {
		u, err := billingURL(v)
		if err != nil {
			errs = append(errs, err)
		}
		c.Billing = u
	}
	return errors.Join(errs...)
}

func wellFormedKey(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return len(s) >= 16 && len(s) <= 128
}

// billingURL takes an account's endpoint, with a path (as accounts showed it in 2018) or without. The key goes there, so that it must be encrypted on its way.
func billingURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return nil, errors.New("the argument billing is no URL of an account, such as https://westus.api.cognitive.microsoft.com/")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
	}
	return nil, fmt.Errorf("the argument billing has the scheme %q: it is https (http is for this machine's own addresses only, since the key goes there)", u.Scheme)
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// proxy reads HTTP_PROXY and HTTP_PROXY_CREDS.
func (c *Config) proxy(given map[string]string) error {
	v := strings.TrimSpace(given["http_proxy"])
	if v == "" {
		return nil
	}
	if !strings.Contains(v, "://") {
		v = "http://" + v
	}
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("the argument HTTP_PROXY is no URL of a proxy, such as http://proxy:8888") // not the value: it may hold credentials
	}
	if creds := given["http_proxy_creds"]; creds != "" {
		user, password, _ := strings.Cut(creds, ":")
		u.User = url.UserPassword(user, password)
	}
	c.Proxy = u
	return nil
}

func (c *Config) others(given map[string]string) error {
	if given["mounts:input"] != "" {
		c.Ignored = append(c.Ignored, "Mounts:Input: the container reads nothing from a folder")
	}
	for k := range given {
		if strings.HasPrefix(k, "applicationinsights:") {
			c.Ignored = append(c.Ignored, "ApplicationInsights: there is no telemetry")
			break
		}
	}
	host := given["fluentd:host"]
	if host == "" {
		return nil
	}
	port := 24224
	if v := given["fluentd:port"]; v != "" {
		var err error
		if port, err = strconv.Atoi(v); err != nil || port < 1 || port > 65535 {
			return errors.New("the argument Fluentd:Port is no port")
		}
	}
	c.Fluentd = &Fluentd{Address: net.JoinHostPort(host, strconv.Itoa(port)), Tag: "cognitive"}
	return nil
}

// logging reads Logging:Console and Logging:Disk.
func (c *Config) logging(given map[string]string) error {
	var err error
	if c.Console, err = level(given, "logging:console:loglevel", slog.LevelInfo); err != nil {
		return err
	}
	c.Output = given["mounts:output"]
	format := given["logging:disk:format"]
	if format == "" {
		return nil
	}
	if !strings.EqualFold(format, "json") {
		return fmt.Errorf("the argument Logging:Disk:Format is %q: json is the only one", format)
	}
	if c.Output == "" {
		c.Output = "/output"
	}
	if st, err := os.Stat(c.Output); err != nil || !st.IsDir() {
		return fmt.Errorf("logging on disk needs a folder: %s, which Mounts:Output names (by default /output), is none", c.Output)
	}
	c.Disk = &Disk{MaxSize: 1 << 20}
	if c.Disk.Level, err = level(given, "logging:disk:loglevel", slog.LevelInfo); err != nil {
		return err
	}
	if v := given["logging:disk:maxfilesize"]; v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n == 0 || n < -1 || n > 1<<20 {
			return fmt.Errorf("the argument Logging:Disk:MaxFileSize is %q: it is a number of megabytes, or -1 for no limit", v)
		}
		c.Disk.MaxSize = int64(max(n, 0)) << 20
	}
	return nil
}

// level reads a level under key or key:default, by the names of .NET.
func level(given map[string]string, key string, otherwise slog.Level) (slog.Level, error) {
	v := given[key+":default"]
	if v == "" {
		v = given[key]
	}
	switch strings.ToLower(v) {
	case "":
		return otherwise, nil
	case "trace", "debug":
		return slog.LevelDebug, nil
	case "information", "info":
		return slog.LevelInfo, nil
	case "warning", "warn":
		return slog.LevelWarn, nil
	case "error", "critical":
		return slog.LevelError, nil
	case "none":
		return levelOff, nil
	}
	return 0, fmt.Errorf("the log level %q is none of Trace, Debug, Information, Warning, Error, Critical and None", v)
}
