// Package app is the composition root: it opens the store, makes every service, and serves them. services.go has the one list of services.
package app

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
)

// Config is what `bulkhead up` can be told. The zero value works; Defaults fills it.
type Config struct {
	Data         string   `yaml:"data"`         // data folder
	Listen       string   `yaml:"listen"`       // front door (HTTPS)
	Proxy        string   `yaml:"proxy"`        // CONNECT proxy
	Identity     string   `yaml:"identity"`     // plain HTTP: managed identity endpoint, health
	Suffix       string   `yaml:"suffix"`       // own host name suffix
	PassThrough  bool     `yaml:"passThrough"`  // the proxy lets hosts that are not Azure's through
	PackageRoots []string `yaml:"packageRoots"` // folders a site's WEBSITE_RUN_FROM_PACKAGE may name
	LogLevel     string   `yaml:"logLevel"`     // debug, info, warn, error
	MasterKey    string   `yaml:"masterKey"`    // where the master key comes from; see seal.ParseSource

	PasswordGrant    bool     `yaml:"passwordGrant"`    // clients may send users' passwords to the token endpoint
	FederatedIssuers []string `yaml:"federatedIssuers"` // foreign issuers whose keys may be fetched for federated credentials

	CosmosRange      int    `yaml:"cosmosRangeMB"`     // how much a partition key range of Cosmos DB holds before it is split, in megabytes
	CosmosPartition  int    `yaml:"cosmosPartitionMB"` // how much a logical partition holds, in megabytes
	CosmosThrottling string `yaml:"cosmosThrottling"`  // how Cosmos DB accounts enforce throughput: burst, strict or off
	CosmosEmulator   string `yaml:"cosmosEmulator"`    // where the Cosmos DB emulator's account is served: loopback addresses, or true for 127.0.0.1:8081; "": nowhere

	SecurityRules []string `yaml:"securityRules"` // folders of Sigma rules, asked of what machines report
	Countries     string   `yaml:"countries"`     // a file of lines NETWORK,COUNTRY, or a database in MaxMind's format; "": none

	Honeypot         string `yaml:"honeypot"`         // where the honeypot speaks SSH; "": nowhere
	HoneypotTelnet   string `yaml:"honeypotTelnet"`   // where it speaks telnet
	HoneypotAccept   string `yaml:"honeypotAccept"`   // file of user:password pairs that are let in; "": passwords that things are shipped with
	HoneypotOneIn    int    `yaml:"honeypotOneIn"`    // besides, one in so many other pairs
	HoneypotMachines string `yaml:"honeypotMachines"` // ADDRESS=ID,...: machines whose addresses the platform does not know by itself

	SMTP          string `yaml:"smtp"`          // mail server that alerts are sent through, HOST:PORT; "": none
	MailFrom      string `yaml:"mailFrom"`      // whom mail of alerts is from
	AlertPrograms string `yaml:"alertPrograms"` // folder of programs that webhook receivers may name as exec:NAME; "": none is run

	FaceModels      string `yaml:"faceModels"`         // folder of the Face API's weights; "": the one FaceModels names
	PicturesPrivate bool   `yaml:"privatePictureURLs"` // Cognitive Services may fetch pictures from this machine and private networks

	Level *slog.LevelVar `yaml:"-"` // of the log given to Up, to be changed at run time; nil if it can't be

	clock clock.Clock // of tests; nil: the system's
}

// Defaults are loopback addresses and a data folder beside the caller.
func Defaults() Config {
	return Config{
		Data: "bulkhead-data", Listen: "127.0.0.1:8443", Proxy: "127.0.0.1:8444", Identity: "127.0.0.1:8445",
		Suffix: "bulkhead.localhost", MailFrom: "alerts@bulkhead.localhost", LogLevel: "info", CosmosThrottling: "burst", CosmosRange: 50 << 10, CosmosPartition: 20 << 10,
	}
}

// LoadFile reads a YAML file over c. Every key it does not know is named with its line.
func (c *Config) LoadFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	err = d.Decode(c)
	var wrong *yaml.TypeError
	switch {
	case errors.Is(err, io.EOF):
		return nil // nothing but comments
	case errors.As(err, &wrong):
		var all []error
		for _, text := range wrong.Errors {
			all = append(all, fmt.Errorf("%s: %s", path, unknownKey.ReplaceAllString(text, "unknown key $1")))
		}
		return errors.Join(all...)
	case err != nil:
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := d.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: there is more than one document in it", path)
	}
	return nil
}

// unknownKey is how the YAML library says it.
var unknownKey = regexp.MustCompile(`field (\S+) not found in type \S+`)

// Check finds what cannot work before anything starts.
func (c *Config) Check() error {
	c.Suffix = strings.Trim(strings.ToLower(c.Suffix), ".")
	abs, err := filepath.Abs(c.Data)
	if err != nil {
		return err
	}
	c.Data = abs
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return fmt.Errorf("logLevel %q: want debug, info, warn or error", c.LogLevel)
	}
	if c.Suffix == "" || strings.ContainsAny(c.Suffix, ":/ \\@?#") {
		return fmt.Errorf("suffix %q: want a domain name, such as bulkhead.localhost", c.Suffix)
	}
	for name, addr := range map[string]string{"listen": c.Listen, "proxy": c.Proxy, "identity": c.Identity} {
		_, port, err := net.SplitHostPort(addr)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			return fmt.Errorf("%s %q: want HOST:PORT, such as 127.0.0.1:8443", name, addr)
		}
	}
	if _, ok := gateway.ParseThrottling(c.CosmosThrottling); !ok {
		return fmt.Errorf("cosmosThrottling %q: want burst, strict or off", c.CosmosThrottling)
	}
	if c.CosmosRange < 1 || c.CosmosPartition < 1 {
		return fmt.Errorf("cosmosRangeMB %d, cosmosPartitionMB %d: want a number of megabytes", c.CosmosRange, c.CosmosPartition)
	}
	if err := c.checkAlerts(); err != nil {
		return err
	}
	if err := c.checkHoneypot(); err != nil {
		return err
	}
	emulator, err := emulatorAddresses(c.CosmosEmulator)
	if err != nil {
		return err
	}
	c.CosmosEmulator = strings.Join(emulator, ",")
	for _, issuer := range c.FederatedIssuers {
		if u, err := url.Parse(issuer); err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return fmt.Errorf("federatedIssuers %q: want an https URL, as tokens spell iss", issuer)
		}
	}
	for i, root := range c.PackageRoots {
		if c.PackageRoots[i], err = filepath.Abs(root); err != nil {
			return err
		}
		info, err := os.Stat(root)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
			return fmt.Errorf("package root %s is not a folder", root)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) path(parts ...string) string {
	return filepath.Join(append([]string{c.Data}, parts...)...)
}
