package mysql

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// storageProfile is a server's storage.
type storageProfile struct {
	StorageMB           int    `json:"storageMB,omitempty"`
	BackupRetentionDays int    `json:"backupRetentionDays,omitempty"`
	GeoRedundantBackup  string `json:"geoRedundantBackup,omitempty"` // Enabled, Disabled
	StorageAutogrow     string `json:"storageAutogrow,omitempty"`    // Enabled, Disabled
}

// attachment is where an attached server runs: an extension of Bulkhead's.
type attachment struct {
	Host           string `json:"host"`
	Port           int    `json:"port"`
	Login          string `json:"login"`
	PasswordSecret string `json:"passwordSecretId"` // https://{vault}.vault.azure.net/secrets/{name}[/{version}], read as the server's system-assigned identity
	TLS            string `json:"tls,omitempty"`    // Required (default), Disabled
	CA             string `json:"ca,omitempty"`     // PEM of the certificate authority; "": the system's roots
}

// properties is what is kept of a server.
type properties struct {
	AdministratorLogin string         `json:"administratorLogin,omitempty"`
	Version            string         `json:"version"`
	SSLEnforcement     string         `json:"sslEnforcement"`
	MinimalTLS         string         `json:"minimalTlsVersion"`
	PublicAccess       string         `json:"publicNetworkAccess"`
	StorageProfile     storageProfile `json:"storageProfile"`
	Attach             *attachment    `json:"attach,omitempty"`
}

// sentProperties is what a client may send.
type sentProperties struct {
	CreateMode      string          `json:"createMode"`
	Login           string          `json:"administratorLogin"`
	Password        string          `json:"administratorLoginPassword"`
	Version         string          `json:"version"`
	SSLEnforcement  string          `json:"sslEnforcement"`
	MinimalTLS      string          `json:"minimalTlsVersion"`
	PublicAccess    string          `json:"publicNetworkAccess"`
	Infrastructure  string          `json:"infrastructureEncryption"`
	ReplicationRole string          `json:"replicationRole"`
	StorageProfile  *storageProfile `json:"storageProfile"`
	Attach          *attachment     `json:"attach"`
}

// String keeps the password out of logs.
func (sentProperties) String() string { return "[redacted]" }

const (
	enabled  = "Enabled"
	disabled = "Disabled"

	modeDefault = "Default"
	modeAttach  = "Attach"
)

// The states a client sees.
const (
	stateReady        = "Ready"
	stateDisabled     = "Disabled"
	stateInaccessible = "Inaccessible"
)

func propertiesOf(r *arm.Resource) (*properties, error) {
	p := new(properties)
	if err := json.Unmarshal(r.Properties, p); err != nil {
		return nil, fmt.Errorf("properties of %s: %w", r.ID, err)
	}
	return p, nil
}

func skuOf(r *arm.Resource) (sku, error) {
	var s sku
	if err := json.Unmarshal(r.SKU, &s); err != nil {
		return s, fmt.Errorf("sku of %s: %w", r.ID, err)
	}
	return s, s.settle(nil)
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "InvalidParameterValue", format, args...)
}

// clip keeps what a client sent short enough for a message.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}

// choose settles a property that has a few values: sent in any case, else what it was, else the first.
func choose(name, sent, old string, values ...string) (string, error) {
	if sent == "" {
		if old != "" {
			return old, nil
		}
		return values[0], nil
	}
	for _, v := range values {
		if strings.EqualFold(v, sent) {
			return v, nil
		}
	}
	return "", invalid("The property %s is '%s'; it must be one of %s.", name, clip(sent), strings.Join(values, ", "))
}

// settle makes the properties to keep of what was sent and what was there (nil: nothing).
func (p *sentProperties) settle(t *tier, old *properties) (*properties, error) {
	was := old
	if was == nil {
		was = &properties{}
	}
	out := &properties{AdministratorLogin: was.AdministratorLogin, Attach: was.Attach}
	var err error
	for _, f := range []struct {
		to              *string
		name, sent, old string
		values          []string
	}{
		{&out.Version, "version", p.Version, was.Version, []string{"5.7", "5.6", "8.0"}},
		{&out.SSLEnforcement, "sslEnforcement", p.SSLEnforcement, was.SSLEnforcement, []string{enabled, disabled}},
		{&out.MinimalTLS, "minimalTlsVersion", p.MinimalTLS, was.MinimalTLS, []string{"TLSEnforcementDisabled", "TLS1_0", "TLS1_1", "TLS1_2"}},
		{&out.PublicAccess, "publicNetworkAccess", p.PublicAccess, was.PublicAccess, []string{enabled, disabled}},
	} {
		if *f.to, err = choose(f.name, f.sent, f.old, f.values...); err != nil {
			return nil, err
		}
	}
	if old != nil && out.Version != old.Version {
		return nil, invalid("The version can't be changed from '%s' to '%s'.", old.Version, out.Version)
	}
	if strings.EqualFold(p.Infrastructure, enabled) {
		return nil, fault.New(fault.NotImplemented, "NotImplemented", "infrastructureEncryption is not implemented.")
	}
	out.StorageProfile, err = p.StorageProfile.settle(t, was.StorageProfile)
	return out, err
}

// settle checks a storage profile, nil for none, against the tier and what was there.
func (s *storageProfile) settle(t *tier, old storageProfile) (out storageProfile, err error) {
	if s == nil {
		s = &storageProfile{}
	}
	out = *s
	if out.StorageMB == 0 {
		out.StorageMB = max(old.StorageMB, minStorage)
	}
	if out.BackupRetentionDays == 0 {
		out.BackupRetentionDays = max(old.BackupRetentionDays, minBackupDays)
	}
	if out.GeoRedundantBackup, err = choose("storageProfile.geoRedundantBackup", s.GeoRedundantBackup, old.GeoRedundantBackup, disabled, enabled); err != nil {
		return out, err
	}
	if out.StorageAutogrow, err = choose("storageProfile.storageAutogrow", s.StorageAutogrow, old.StorageAutogrow, disabled, enabled); err != nil {
		return out, err
	}
	switch {
	case out.StorageMB < minStorage || out.StorageMB > t.maxStorage:
		return out, invalid("The storageMB %d is out of range: tier %s has %d to %d MB.", out.StorageMB, t.name, minStorage, t.maxStorage)
	case out.StorageMB%gigabyte != 0:
		return out, invalid("The storageMB %d is not a whole number of GB (1024 MB).", out.StorageMB)
	case out.StorageMB < old.StorageMB:
		return out, invalid("The storageMB can't be lowered from %d to %d.", old.StorageMB, out.StorageMB)
	case out.BackupRetentionDays < minBackupDays || out.BackupRetentionDays > maxBackupDays:
		return out, invalid("The backupRetentionDays %d is out of range: %d to %d.", out.BackupRetentionDays, minBackupDays, maxBackupDays)
	case out.GeoRedundantBackup == enabled && t.name == "Basic":
		return out, invalid("Tier Basic has no geo-redundant backups.")
	case old.GeoRedundantBackup != "" && out.GeoRedundantBackup != old.GeoRedundantBackup:
		return out, invalid("geoRedundantBackup can't be changed once the server is there.")
	}
	return out, nil
}

// check tells whether an attachment is complete.
func (a *attachment) check() error {
	if a == nil {
		return invalid("createMode Attach needs properties.attach with host, port, login and passwordSecretId.")
	}
	if a.Port == 0 {
		a.Port = 3306
	}
	_, addr := netip.ParseAddr(a.Host)
	switch {
	case a.Host == "" || len(a.Host) > 253 || addr != nil && !hostName(a.Host):
		return invalid("attach.host '%s' is no host name or address.", clip(a.Host))
	case a.Port < 1 || a.Port > 65535:
		return invalid("attach.port %d is no port.", a.Port)
	case a.Login == "" || len(a.Login) > 80:
		return invalid("attach.login must have 1 to 80 characters.")
	case a.PasswordSecret == "":
		return invalid("attach.passwordSecretId must be the id of a vault's secret.")
	}
	var err error
	a.TLS, err = choose("attach.tls", a.TLS, "", "Required", disabled)
	return err
}

func hostName(s string) bool {
	for _, c := range []byte(s) {
		if c != '-' && c != '.' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// shownProperties is a server as the wire shows it.
type shownProperties struct {
	*properties
	State              string    `json:"userVisibleState"`
	Domain             string    `json:"fullyQualifiedDomainName"`
	EarliestRestore    time.Time `json:"earliestRestoreDate"`
	ReplicationRole    string    `json:"replicationRole"`
	Master             string    `json:"masterServerId"`
	ReplicaCapacity    int       `json:"replicaCapacity"`
	OwnKeys            string    `json:"byokEnforcement"`
	PrivateConnections []string  `json:"privateEndpointConnections"`
	Infrastructure     string    `json:"infrastructureEncryption"`
	// Bulkhead's own: where the server is reached on this machine, and how it is.
	Local *shownLocal `json:"bulkhead,omitempty"`
}

type shownLocal struct {
	Endpoint string `json:"endpoint,omitempty"` // host:port
	Engine   string `json:"engine,omitempty"`   // "10.11.6-MariaDB"
	ReadOnly bool   `json:"readOnly"`
	Problem  string `json:"problem,omitempty"`
	CA       string `json:"caUrl,omitempty"`
	// What the kernel holds the server to, of cpu, memory and io, and why not to the rest.
	Held    []string `json:"heldTo,omitempty"`
	NotHeld string   `json:"notHeldTo,omitempty"`
}
