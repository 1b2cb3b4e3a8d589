package gateway

import "github.com/bulkheadhq/bulkhead/internal/fault"

// Sub-statuses that the SDKs' retry logic knows.
const (
	subPartitionKeyMismatch = 1001
	subReadSession          = 1002
	subRangeGone            = 1002
	subOwnerGone            = 1003
	subScriptCompile        = 0xffff
	subCrossPartition       = 1004
	subAccountGone          = 1008
	subOtherContainer       = 1024
	subRequestRate          = 3200
	subNotByRBAC            = 5300
	subLocalAuthDisabled    = 5202
	subIssuer               = 5007
	subAudience             = 5008
	subRoleMetadata         = 5301
	subRoleByName           = 5302
	subRoleByRID            = 5303
)

func invalid(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "BadRequest", format, args...)
}

func withSub(f *fault.Error, sub int) *fault.Error {
	f.Substatus = sub
	return f
}

func notImplemented(what string) *fault.Error {
	return fault.New(fault.NotImplemented, "NotImplemented", "%s: not supported by this platform yet.", what)
}

func ownerGone() *fault.Error {
	return withSub(fault.New(fault.NotFound, "NotFound", "Owner resource does not exist"), subOwnerGone)
}
