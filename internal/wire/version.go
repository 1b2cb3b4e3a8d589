package wire

import (
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// checkVersion reads and judges the api-version. A version newer than any known one is accepted: SDKs move faster than servers.
func checkVersion(p plane, r *Request) *fault.Error {
	v := r.Route.Versions
	if v.Header != "" {
		raw := r.HTTP.Header.Get(v.Header)
		if raw == "" {
			return nil
		}
		if !wellFormedVersion(raw, r.Host.Kind) {
			return p.problem(r, badVersion, raw)
		}
		r.APIVersion = strings.ToLower(raw)
		return nil
	}
	raw := r.Query("api-version")
	checked := v.Required || v.First != ""
	switch {
	case raw == "" && v.Required:
		return p.problem(r, missingVersion, "")
	case raw == "":
		return nil
	case !wellFormedVersion(raw, r.Host.Kind):
		if checked {
			return p.problem(r, badVersion, raw)
		}
		return nil
	case v.First != "" && isDate(raw) && isDate(v.First) && raw[:10] < v.First[:10]:
		return p.problem(r, oldVersion, raw)
	}
	r.APIVersion = strings.ToLower(raw)
	return nil
}

// wellFormedVersion accepts YYYY-MM-DD with an optional label ("-preview", "-alpha.1") and, for vaults, "7.4" forms.
func wellFormedVersion(s string, kind HostKind) bool {
	if len(s) > 40 {
		return false
	}
	if isDate(s) {
		return isLabel(s[10:])
	}
	if kind != HostVault {
		return false
	}
	major, rest, ok := strings.Cut(s, ".")
	if !ok || !digits(major) {
		return false
	}
	n := 0
	for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
		n++
	}
	return n > 0 && isLabel(rest[n:])
}

func isLabel(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != '-' || len(s) < 2 {
		return false
	}
	for i := 1; i < len(s); i++ {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && s[i] != '.' && s[i] != '-' {
			return false
		}
	}
	return true
}

// isDate tells whether s begins with a plausible YYYY-MM-DD.
func isDate(s string) bool {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' || !digits(s[:4]) || !digits(s[5:7]) || !digits(s[8:10]) {
		return false
	}
	month, day := s[5:7], s[8:10]
	return month >= "01" && month <= "12" && day >= "01" && day <= "31"
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
