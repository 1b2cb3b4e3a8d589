package face

import (
	"fmt"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// bad is the error of a request that isn't one of the API.
func bad(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "BadArgument", format, args...)
}

// badImage is the error of a picture that can't be used.
func badImage(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "InvalidImage", format, args...)
}

// capital is a noun as it begins a code: "largeFaceList" is LargeFaceList.
func capital(noun string) string { return strings.ToUpper(noun[:1]) + noun[1:] }

// spaced is a noun as it begins a message: "largeFaceList" is Large face list.
func spaced(noun string) string {
	var b strings.Builder
	for i, r := range noun {
		switch {
		case i == 0:
			b.WriteString(strings.ToUpper(string(r)))
		case r >= 'A' && r <= 'Z':
			fmt.Fprintf(&b, " %c", r+('a'-'A'))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// absent is the error of what isn't there.
func absent(noun, id string) *fault.Error {
	return fault.New(fault.NotFound, capital(noun)+"NotFound", "%s %s is not found.", spaced(noun), clip(id))
}

// exists is the error of an id that is taken.
func exists(noun, id string) *fault.Error {
	return fault.New(fault.Conflict, capital(noun)+"Exists", "%s %s already exists.", spaced(noun), id)
}

// untrained is the error of a search in what was never trained.
func untrained(noun, id string) *fault.Error {
	return fault.New(fault.Invalid, capital(noun)+"NotTrained", "%s '%s' is not trained. Call its train operation, and wait until training has succeeded.", spaced(noun), id)
}

// full is the error of a limit that is reached.
func full(format string, args ...any) *fault.Error {
	return fault.New(fault.Forbidden, "QuotaExceeded", format, args...)
}

// clip bounds what a message repeats of a request.
func clip(s string) string {
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "") + "..."
	}
	return s
}
