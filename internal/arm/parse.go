package arm

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
)

// Bounds of resource ids; a whole id must fit into a store key.
const (
	maxID    = 900
	maxName  = 260
	maxGroup = 90
	maxDepth = 12 // types in one id
)

// ParseID takes a resource id apart: the id of a subscription, a group, a resource or a collection. Keywords match in any case, empty segments don't
// count, the last providers segment decides the type. Namespaces, types and names keep the caller's casing. The error is a fault.
func ParseID(s string) (ID, error) {
	var id ID
	if !strings.HasPrefix(s, "/") {
		return id, badID(s, "it does not begin with a slash")
	}
	if len(s) > maxID {
		return id, badID(s[:60]+"...", fmt.Sprintf("it is longer than %d bytes", maxID))
	}
	segs := strings.FieldsFunc(s, func(r rune) bool { return r == '/' })
	rest := segs
	if len(rest) > 0 && strings.EqualFold(rest[0], "subscriptions") {
		if len(rest) < 2 {
			return id, badID(s, "the subscription is missing")
		}
		if err := id.setSubscription(rest[1]); err != nil {
			return id, err
		}
		rest = rest[2:]
		if len(rest) > 0 && strings.EqualFold(rest[0], "resourceGroups") {
			if len(rest) < 2 {
				return id, badID(s, "the resource group is missing")
			}
			if err := id.setGroup(rest[1]); err != nil {
				return id, err
			}
			rest = rest[2:]
		}
	}
	for len(rest) > 0 {
		if !strings.EqualFold(rest[0], "providers") || len(rest) < 3 {
			return id, badID(s, "providers/{namespace}/{type} is expected")
		}
		if id.Namespace != "" { // what came before is a scope
			if id.Collection() {
				return id, badID(s, "a collection can't be a scope")
			}
			id.Scope, id.Extension = id.String(), true
		}
		var err error
		if rest, err = id.provider(s, rest[1:]); err != nil {
			return id, err
		}
	}
	return id, nil
}

// provider reads {namespace}/{type}/{name}... up to the next providers segment and returns what follows.
func (id *ID) provider(whole string, segs []string) (rest []string, err error) {
	if !plainWord(segs[0]) {
		return nil, badID(whole, "the namespace has characters that are not allowed")
	}
	id.Namespace, id.Types, id.Names = segs[0], nil, nil
	segs = segs[1:]
	for len(segs) > 0 && !strings.EqualFold(segs[0], "providers") {
		if !plainWord(segs[0]) || len(id.Types) == maxDepth {
			return nil, badID(whole, "its types are not well formed")
		}
		id.Types = append(id.Types, segs[0])
		if len(segs) == 1 {
			return nil, nil
		}
		if err := checkName(segs[1]); err != nil {
			return nil, err
		}
		id.Names = append(id.Names, segs[1])
		segs = segs[2:]
	}
	if len(id.Types) == 0 {
		return nil, badID(whole, "the type is missing")
	}
	return segs, nil
}

func (id *ID) setSubscription(s string) error {
	if !ids.IsGUID(s) {
		return fault.New(fault.Invalid, "InvalidSubscriptionId", "The provided subscription identifier '%s' is malformed or invalid.", clip(s))
	}
	id.Subscription = strings.ToLower(s)
	return nil
}

func (id *ID) setGroup(s string) error {
	ok := len(s) <= 4*maxGroup && utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxGroup && s != "" && !strings.HasSuffix(s, ".")
	for _, r := range s {
		ok = ok && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.()", r))
	}
	if !ok {
		return fault.New(fault.Invalid, "InvalidResourceGroupName", "The provided resource group name '%s' has these invalid characters or length: "+
			"1 to 90 letters, digits, '-', '_', '.', '(' and ')' are allowed, and no '.' at the end.", clip(s))
	}
	id.ResourceGroup = s
	return nil
}

// checkName refuses names that could not be told apart from something else in an id or a key.
func checkName(s string) error {
	ok := s != "" && s != "." && s != ".." && len(s) <= maxName && utf8.ValidString(s)
	for _, r := range s {
		ok = ok && r > 0x1f && r != 0x7f && !strings.ContainsRune(`<>%&\?/|`, r)
	}
	if !ok {
		return fault.New(fault.Invalid, "InvalidResourceName", "Resource name '%s' is invalid. The name can be up to %d characters long and can't have "+
			"control characters or any of <>%%&\\?/|.", clip(s), maxName)
	}
	return nil
}

func plainWord(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && s[i] != '.' && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 100
}

func badID(s, reason string) error {
	return fault.New(fault.Invalid, "InvalidResourceId", "The resource id '%s' is not valid: %s.", clip(s), reason)
}

// clip keeps foreign text short in messages.
func clip(s string) string {
	if len(s) <= 200 {
		return s
	}
	n := 200
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}

// Parent is the id one type up: the parent of a child resource, else the group or subscription; of an extension, what it extends.
func (id ID) Parent() ID {
	n := len(id.Types)
	if n > 1 {
		p := id
		p.Types = id.Types[: n-1 : n-1]
		p.Names = id.Names[:min(len(id.Names), n-1):min(len(id.Names), n-1)]
		return p
	}
	if id.Extension {
		if p, err := ParseID(id.Scope); err == nil {
			return p
		}
		return ID{} // tenant scope
	}
	return ID{Subscription: id.Subscription, ResourceGroup: id.ResourceGroup}
}
