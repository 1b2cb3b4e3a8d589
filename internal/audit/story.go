package audit

import (
	"fmt"
	"strings"
)

// Story tells the records of one correlation id for people: a line a hop with who did what on what, and below it what allowed or refused it.
//
//	17:04:05.123  identity    GetManagedIdentityToken        200   1.2ms  site fes (ManagedIdentity 5f..)
//	              on   https://vault.azure.net
//	              by   identity header of /subscriptions/../sites/fes
func Story(records []Record) string {
	var b strings.Builder
	if len(records) > 0 {
		fmt.Fprintf(&b, "correlation id %s, %d hops\n", records[0].CorrelationID, len(records))
	}
	for _, r := range records {
		fmt.Fprintf(&b, "\n%s  %-10s  %s %s  %d  %s\n", r.Time.UTC().Format("15:04:05.000"), r.Service, r.Method, r.Operation, r.Status, r.Duration.Round(10_000))
		line(&b, "who", who(r))
		line(&b, "at", r.Host)
		line(&b, "on", r.Resource)
		if r.Code != "" {
			line(&b, "refused", r.Code+": "+r.Reason)
			continue
		}
		line(&b, "allowed by", r.AllowedBy)
	}
	return b.String()
}

func line(b *strings.Builder, label, text string) {
	if text != "" {
		fmt.Fprintf(b, "    %-10s  %s\n", label, strings.ReplaceAll(text, "\n", " "))
	}
}

// who names the caller as far as it is known.
func who(r Record) string {
	if r.ObjectID == "" && r.AppID == "" {
		if r.Name != "" {
			return r.Name // the platform itself
		}
		if r.ClientIP == "" {
			return "unknown"
		}
		return "not signed in, from " + r.ClientIP
	}
	s := r.Kind
	if r.Name != "" {
		s += " " + r.Name
	}
	if r.AppID != "" {
		s += " app " + r.AppID
	}
	if r.ObjectID != "" {
		s += " object " + r.ObjectID
	}
	if r.OnBehalf != "" {
		s += " of " + r.OnBehalf
	}
	return s + " tenant " + r.TenantID
}

// Line tells one record in one line: when, who, what on what, with what result.
func Line(r Record) string {
	result := fmt.Sprint(r.Status)
	if r.Code != "" {
		result += " " + r.Code
	}
	on := r.Resource
	if on == "" {
		on = r.Host
	}
	return fmt.Sprintf("%s  %-9s  %s  %s  by %s", r.Time.UTC().Format("2006-01-02 15:04:05.000"), result, r.Operation, on, who(r))
}
