package directory

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// oauth makes an error of the token service: Azure's AADSTS number and the OAuth 2.0 error it belongs to. Kind decides between 400 and 401.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
func oauth(k fault.Kind, number int, oauthError, format string, args ...any) *fault.Error {
	e := fault.New(k, "AADSTS"+strconv.Itoa(number), format, args...)
	e.Inner = oauthError
	return e
}

// clip makes a caller's own text fit to be shown in an error: short and on one line.
func clip(s string) string {
	s = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) || c == unicode.ReplacementChar {
			return '?'
		}
		return c
	}, s)
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "..."
	}
	return s
}

func missing(parameter string) error {
	return oauth(fault.Invalid, 900144, "invalid_request", "The request body must contain the following parameter: '%s'.", parameter)
}

func malformed(format string, args ...any) error {
	return oauth(fault.Invalid, 9002313, "invalid_request", "Invalid request. Request is malformed or invalid. "+format, args...)
}
