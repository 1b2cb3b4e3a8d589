package web

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// webConfig is a site's configuration (config/web): what clients set, by its documented name.
type webConfig struct {
	Values map[string]json.RawMessage `json:"values"`
}

// configDefaults are the members a GET always shows.
var configDefaults = map[string]string{
	"numberOfWorkers": `1`, "defaultDocuments": `[]`, "netFrameworkVersion": `"v4.0"`, "phpVersion": `""`, "pythonVersion": `""`, "nodeVersion": `""`,
	"linuxFxVersion": `""`, "windowsFxVersion": `null`, "requestTracingEnabled": `false`, "remoteDebuggingEnabled": `false`,
	"httpLoggingEnabled": `true`, "detailedErrorLoggingEnabled": `false`, "publishingUsername": `null`, "appCommandLine": `""`, "scmType": `"None"`,
	"use32BitWorkerProcess": `false`, "webSocketsEnabled": `true`, "alwaysOn": `true`, "managedPipelineMode": `"Integrated"`, "loadBalancing": `"LeastRequests"`,
	"autoHealEnabled": `false`, "cors": `null`, "http20Enabled": `true`, "minTlsVersion": `"1.2"`, "scmMinTlsVersion": `"1.2"`, "ftpsState": `"Disabled"`,
	"scmIpSecurityRestrictionsUseMain": `false`, "healthCheckPath": `null`, "appSettings": `null`, "connectionStrings": `null`,
}

// unsupportedConfig are members that would change how a site behaves and don't here. Set to anything but empty they are refused.
var unsupportedConfig = map[string]string{
	"cors": "CORS (siteConfig.cors) is", "healthCheckPath": "Health checks (siteConfig.healthCheckPath) are", "autoHealEnabled": "Auto-heal is",
	"azureStorageAccounts": "Storage mounts are", "vnetName": "Virtual networks are", "vnetRouteAllEnabled": "Virtual networks are",
	"autoSwapSlotName": "Deployment slots are", "remoteDebuggingEnabled": "Remote debugging is", "apiManagementConfig": "API Management is",
	"acrUseManagedIdentityCreds": "Container images are",
}

// merge returns the configuration with the given members over it; a null one is unset. Secret members have rows of their own and are left out.
func (w webConfig) merge(in map[string]json.RawMessage) webConfig {
	out := webConfig{Values: maps.Clone(w.Values)}
	if out.Values == nil {
		out.Values = map[string]json.RawMessage{}
	}
	for name, raw := range in {
		switch strings.ToLower(name) {
		case "appsettings", "connectionstrings", "metadata", "publishingusername", "publishingpassword", "machinekey":
			continue
		}
		key := name
		for known := range out.Values {
			if strings.EqualFold(known, name) {
				key = known
			}
		}
		if isNull(raw) {
			delete(out.Values, key)
			continue
		}
		var b bytes.Buffer
		if json.Compact(&b, raw) == nil {
			out.Values[key] = b.Bytes()
		}
	}
	return out
}

// text returns a member that is a string, "" if it is not there.
func (w webConfig) text(name string) string {
	var v string
	_ = json.Unmarshal(field(w.Values, name), &v) // checked when it was stored
	return v
}

// check refuses what can't be honoured.
func (w webConfig) check() error {
	for name, what := range unsupportedConfig {
		raw := field(w.Values, name)
		if name == "cors" {
			var cors struct{ AllowedOrigins []string }
			if isNull(raw) || json.Unmarshal(raw, &cors) == nil && len(cors.AllowedOrigins) == 0 {
				continue
			}
		}
		if isSet(raw) {
			return notImplemented(what)
		}
	}
	for _, name := range []string{"appCommandLine", "linuxFxVersion", "windowsFxVersion", "minTlsVersion", "scmMinTlsVersion"} {
		var v string
		if raw := field(w.Values, name); !isNull(raw) {
			if err := decode(raw, "siteConfig."+name, &v); err != nil {
				return err
			}
		}
		switch {
		case strings.HasSuffix(name, "FxVersion") && strings.Contains(strings.ToUpper(v), "DOCKER"), strings.Contains(v, "COMPOSE|"):
			return notImplemented("Sites made of container images are")
		case strings.HasSuffix(strings.ToLower(name), "mintlsversion") && v == "1.3":
			return notImplemented("A least TLS version of 1.3 is")
		}
	}
	_, err := w.restrictions(false)
	if err == nil {
		_, err = w.restrictions(true)
	}
	return err
}

// view is config/web as a GET shows it: defaults, what was set, and both lists of restrictions, which clients need to be lists.
func (w webConfig) view() map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for name, v := range configDefaults {
		out[name] = json.RawMessage(v)
	}
	for name, v := range w.Values {
		for known := range configDefaults {
			if strings.EqualFold(known, name) {
				name = known
			}
		}
		out[name] = v
	}
	for _, scm := range []bool{false, true} {
		out[restrictionsName(scm)] = w.shownRestrictions(scm)
	}
	return out
}

// summary is the part of the configuration that a GET of the site shows. Its settings are null, which a client that PUTs the site back sends as "leave them".
func (w webConfig) summary() map[string]json.RawMessage {
	all := w.view()
	keep := []string{"numberOfWorkers", "linuxFxVersion", "appCommandLine", "alwaysOn", "http20Enabled", "minTlsVersion", "appSettings", "connectionStrings"}
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool { return !slices.Contains(keep, name) })
	return all
}

// isSet tells whether a member says something: it is not null, false, zero or empty.
func isSet(raw json.RawMessage) bool {
	switch string(bytes.Join(bytes.Fields(raw), nil)) {
	case "", "null", "false", `""`, "[]", "{}", "0":
		return false
	}
	return true
}
