package web

import (
	"encoding/json"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// maxSettings bounds how many settings a site has; the environment of a process is not endless.
const maxSettings = 2000

// checkName makes sure a setting can become an environment variable.
func checkSetting(noun, name, value string) error {
	bad := ""
	switch {
	case strings.TrimSpace(name) == "":
		bad = "is empty"
	case len(name) > 1024:
		bad = "is too long"
	case strings.ContainsAny(name, "=\x00\n\r"):
		bad = "has a character that an environment variable's name can't have"
	case strings.ContainsRune(value, 0):
		bad = "has a value with a NUL character"
	default:
		return nil
	}
	return fault.New(fault.Invalid, "BadRequest", "In the %s the name %q %s.", noun, name, bad)
}

// settingsMap reads the properties of config/appsettings or config/metadata; a null value is left out. Names that differ in case only are one setting.
func settingsMap(noun string, raw json.RawMessage) (map[string]string, error) {
	var in map[string]*string
	if !isNull(raw) {
		if json.Unmarshal(raw, &in) != nil { // its error may hold a value
			return nil, fault.New(fault.Invalid, "BadRequest", "The properties of %s must be an object whose values are strings.", noun)
		}
	}
	out := map[string]string{}
	seen := map[string]bool{}
	for name, v := range in {
		if v == nil {
			continue
		}
		if err := checkSetting(noun, name, *v); err != nil {
			return nil, err
		}
		if seen[strings.ToLower(name)] {
			return nil, fault.New(fault.Invalid, "BadRequest", "In the %s the name %q is there twice, in different case.", noun, name)
		}
		seen[strings.ToLower(name)] = true
		out[name] = *v
	}
	if len(out) > maxSettings {
		return nil, fault.New(fault.Invalid, "BadRequest", "The %s have %d entries; %d are allowed.", noun, len(out), maxSettings)
	}
	return out, nil
}

// settingsList reads siteConfig.appSettings, the list form. ok is false when there is none, which leaves the settings as they are.
func settingsList(raw json.RawMessage) (settings map[string]string, ok bool, err error) {
	if isNull(raw) {
		return nil, false, nil
	}
	var list []struct {
		Name  string  `json:"name"`
		Value *string `json:"value"`
	}
	if json.Unmarshal(raw, &list) != nil {
		return nil, false, fault.New(fault.Invalid, "BadRequest", "siteConfig.appSettings must be a list of {name, value} with string values.")
	}
	settings = map[string]string{}
	for _, e := range list {
		if e.Value == nil {
			continue
		}
		if err := checkSetting(nounSettings, e.Name, *e.Value); err != nil {
			return nil, false, err
		}
		settings[e.Name] = *e.Value
	}
	if len(settings) > maxSettings {
		return nil, false, fault.New(fault.Invalid, "BadRequest", "siteConfig.appSettings has %d entries; %d are allowed.", len(settings), maxSettings)
	}
	return settings, true, nil
}

// connectionPrefixes is what a connection string's type puts before its name in the environment.
var connectionPrefixes = map[string]string{
	"Custom": "CUSTOMCONNSTR_", "SQLServer": "SQLCONNSTR_", "SQLAzure": "SQLAZURECONNSTR_", "MySql": "MYSQLCONNSTR_",
	"PostgreSQL": "POSTGRESQLCONNSTR_", "NotificationHub": "NOTIFICATIONHUBCONNSTR_", "ServiceBus": "SERVICEBUSCONNSTR_",
	"EventHub": "EVENTHUBCONNSTR_", "ApiHub": "APIHUBCONNSTR_", "DocDb": "DOCDBCONNSTR_", "RedisCache": "REDISCACHECONNSTR_",
}

// checkConnection brings the type of a connection string into its documented case.
func checkConnection(name string, c connection) (connection, error) {
	if err := checkSetting(nounConnections, name, c.Value); err != nil {
		return c, err
	}
	if c.Type == "" {
		c.Type = "Custom"
	}
	for known := range connectionPrefixes {
		if strings.EqualFold(known, c.Type) {
			c.Type = known
			return c, nil
		}
	}
	return c, fault.New(fault.Invalid, "BadRequest", "The connection string %q has the unknown type %q.", name, c.Type)
}

func connectionMap(raw json.RawMessage) (map[string]connection, error) {
	out := map[string]connection{}
	if isNull(raw) {
		return out, nil
	}
	var in map[string]connection
	if json.Unmarshal(raw, &in) != nil {
		return nil, fault.New(fault.Invalid, "BadRequest", "The properties of connectionstrings must be an object of {value, type}.")
	}
	for name, c := range in {
		c, err := checkConnection(name, c)
		if err != nil {
			return nil, err
		}
		out[name] = c
	}
	return out, nil
}

// connectionList reads siteConfig.connectionStrings; see settingsList.
func connectionList(raw json.RawMessage) (conns map[string]connection, ok bool, err error) {
	if isNull(raw) {
		return nil, false, nil
	}
	var list []struct {
		Name             string `json:"name"`
		ConnectionString string `json:"connectionString"`
		Type             string `json:"type"`
	}
	if json.Unmarshal(raw, &list) != nil {
		return nil, false, fault.New(fault.Invalid, "BadRequest", "siteConfig.connectionStrings must be a list of {name, connectionString, type}.")
	}
	conns = map[string]connection{}
	for _, e := range list {
		c, err := checkConnection(e.Name, connection{Value: e.ConnectionString, Type: e.Type})
		if err != nil {
			return nil, false, err
		}
		conns[e.Name] = c
	}
	return conns, true, nil
}
