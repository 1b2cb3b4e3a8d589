package identity

import (
	"context"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// instance answers /metadata/instance: what is true of the resource the process runs as, and nothing that only a virtual machine has. A path below picks a part; a single value is
// text and wants format=text, as on a machine.
func (s *Service) instance(ctx context.Context, r *wire.Request) (any, error) {
	h, err := s.holder(ctx, r.Resource)
	if err != nil {
		return nil, err
	}
	if h.resource == nil {
		return nil, fault.New(fault.NotFound, "NotFound", "The resource the process runs as does not exist any more")
	}
	compute, err := computeOf(h.resource)
	if err != nil {
		return nil, err
	}
	var at any = map[string]any{"compute": compute}
	for _, part := range strings.FieldsFunc(r.Param("path"), func(c rune) bool { return c == '/' }) {
		m, _ := at.(map[string]any)
		if at = m[part]; at == nil {
			return nil, fault.New(fault.NotFound, "NotFound", "Not found: /metadata/instance has no %.100q on this platform", part)
		}
	}
	text, leaf := at.(string)
	format := r.Query("format")
	switch {
	case leaf && strings.EqualFold(format, "text"):
		return wire.Reply{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Body: []byte(text)}, nil
	case leaf:
		return nil, fault.New(fault.Invalid, "BadRequest", "Bad request. A single value is available as format=text only")
	case format != "" && !strings.EqualFold(format, "json"):
		return nil, fault.New(fault.Invalid, "BadRequest", "Bad request. The format %.20q is not served here; use json", format)
	}
	return at, nil
}

// computeOf describes a resource as the compute part of the instance metadata.
func computeOf(r *arm.Resource) (map[string]any, error) {
	id, err := arm.ParseID(r.ID)
	if err != nil {
		return nil, err
	}
	tags := []any{}
	for name, value := range r.Tags {
		tags = append(tags, map[string]any{"name": name, "value": value})
	}
	return map[string]any{
		"azEnvironment": "AzurePublicCloud", "location": r.Location, "name": r.Name, "provider": id.Namespace, "resourceGroupName": id.ResourceGroup,
		"resourceId": r.ID, "subscriptionId": id.Subscription, "tagsList": tags, "vmId": r.GUID,
	}, nil
}
