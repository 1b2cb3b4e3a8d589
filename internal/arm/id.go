package arm

import "strings"

// ID is a resource id taken apart. Compare ids by Fold, show them by String.
type ID struct {
	Subscription  string   // GUID, "" at tenant scope
	ResourceGroup string   // "" above a group
	Scope         string   // for an extension resource: the id it extends (canonical), "" at tenant scope or for ordinary resources
	Extension     bool     // an extension resource: Scope/providers/...
	Namespace     string   // "Microsoft.KeyVault", "" for a subscription or a group
	Types         []string // "vaults", "secrets"
	Names         []string // as long as Types for an instance, one shorter for a collection
}

// Type is "Namespace/type/childType"; for scopes "Microsoft.Resources/subscriptions" or ".../resourceGroups".
func (id ID) Type() string {
	switch {
	case id.Namespace != "":
		return id.Namespace + "/" + strings.Join(id.Types, "/")
	case id.ResourceGroup != "":
		return "Microsoft.Resources/subscriptions/resourceGroups"
	default:
		return "Microsoft.Resources/subscriptions"
	}
}

// Name is the last name.
func (id ID) Name() string {
	switch {
	case len(id.Names) > 0:
		return id.Names[len(id.Names)-1]
	case id.ResourceGroup != "":
		return id.ResourceGroup
	default:
		return id.Subscription
	}
}

// Collection tells whether the id ends in a type, not a name.
func (id ID) Collection() bool { return len(id.Names) < len(id.Types) }

// String is the canonical form: /subscriptions/../resourceGroups/../providers/...
func (id ID) String() string {
	var b strings.Builder
	switch {
	case id.Extension:
		b.WriteString(id.Scope)
	case id.Subscription != "":
		b.WriteString("/subscriptions/" + id.Subscription)
		if id.ResourceGroup != "" {
			b.WriteString("/resourceGroups/" + id.ResourceGroup)
		}
	}
	if id.Namespace != "" {
		b.WriteString("/providers/" + id.Namespace)
		for i, t := range id.Types {
			b.WriteString("/" + t)
			if i < len(id.Names) {
				b.WriteString("/" + id.Names[i])
			}
		}
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

// Fold is the form ids are compared and stored by: String in lower case.
func (id ID) Fold() string { return strings.ToLower(id.String()) }

// top is the folded id of the resource right below the group (or subscription) the id belongs to.
func (id ID) top() string {
	if len(id.Types) > 1 && len(id.Names) > 0 {
		id.Types, id.Names = id.Types[:1], id.Names[:1]
	}
	return id.Fold()
}
