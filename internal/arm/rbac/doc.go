// Package rbac decides what a principal may do. It is pure: everything it judges is handed in.
//
// An action is a string, "Microsoft.KeyVault/vaults/write", or a data action, "Microsoft.KeyVault/vaults/secrets/getSecret/action". A role grants what
// matches one of its Actions and none of its NotActions, where * stands for any characters, slashes included. What a principal may do at a scope is the
// union of the roles assigned there and above, minus what a deny assignment refuses; NotActions of one role never take away what another grants.
package rbac
