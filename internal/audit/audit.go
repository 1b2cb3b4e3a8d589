// Package audit keeps who did what, allowed by what, as one story per correlation id.
//
// Each hop of a request chain writes one record. A write's record is committed in the write's own transaction (an outbox
// row, moved on to its audit shard afterwards); a read's is grouped and flushed within 100 ms; a refusal's is awaited.
package audit

import "time"

// Record is one hop.
type Record struct {
	Time          time.Time     `json:"time"`
	Duration      time.Duration `json:"duration,omitempty"` // ns
	CorrelationID string        `json:"correlationId"`
	RequestID     string        `json:"requestId"`
	Service       string        `json:"service"`   // host kind: "vault", "management", "documents", "login", "identity"
	Host          string        `json:"host"`      // as the client named it
	Method        string        `json:"method"`    //
	Operation     string        `json:"operation"` // the route's
	Resource      string        `json:"resource,omitempty"`
	Status        int           `json:"status"`
	Code          string        `json:"code,omitempty"`   // fault code of a refusal or failure
	Reason        string        `json:"reason,omitempty"` // its message
	AllowedBy     string        `json:"allowedBy,omitempty"`
	ClientIP      string        `json:"clientIp,omitempty"`

	Kind     string `json:"kind,omitempty"` // of the caller: User, ServicePrincipal, ManagedIdentity
	TenantID string `json:"tenantId,omitempty"`
	ObjectID string `json:"objectId,omitempty"`
	AppID    string `json:"appId,omitempty"`
	Name     string `json:"name,omitempty"`
	OnBehalf string `json:"identityOf,omitempty"` // resource id of a managed identity's owner
}
