package keyvault

import (
	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Codes of innererror.
const (
	innerAccessDenied = "AccessDenied"
	innerFirewall     = "ForbiddenByFirewall"
	innerConnection   = "ForbiddenByConnection"
	innerRBAC         = "ForbiddenByRbac"
	innerRecoverable  = "ObjectIsDeletedButRecoverable"
	innerNotAllowed   = "OperationNotAllowed"
)

func badParameter(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "BadParameter", format, args...)
}

func forbidden(inner, format string, args ...any) *fault.Error {
	e := fault.New(fault.Forbidden, "Forbidden", format, args...)
	e.Inner = inner
	return e
}

func conflict(inner, format string, args ...any) *fault.Error {
	e := fault.New(fault.Conflict, "Conflict", format, args...)
	e.Inner = inner
	return e
}

func (k *kind) notFound(name, version string) *fault.Error {
	id := name
	if version != "" {
		id += "/" + version
	}
	return fault.New(fault.NotFound, k.missing, "A %s with (name/id) %s was not found in this key vault. If you recently deleted this %s you may be able to "+
		"recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182", k.noun, id, k.noun)
}

func (k *kind) deletedNotFound(name string) *fault.Error {
	return fault.New(fault.NotFound, k.missing, "Deleted %s not found: %s", k.title, name)
}

// deletedConflict refuses to make an object whose name a soft-deleted one still has.
func (k *kind) deletedConflict(name string) *fault.Error {
	return conflict(innerRecoverable, "%s %s is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the %s can only be recovered or purged.",
		k.title, name, k.noun)
}

func notImplemented(what string) *fault.Error {
	return fault.New(fault.NotImplemented, "NotImplemented", "%s is not implemented.", what)
}
