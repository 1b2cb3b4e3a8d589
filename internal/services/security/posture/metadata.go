package posture

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/services/security/posture/assess"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	metadataTypeName   = namespace + "/assessmentMetadata"
	definitionTypeName = namespace + "/secureScoreControlDefinitions"
)

// shownMetadata is what an assessment is about, on the wire.
type shownMetadata struct {
	Display    string        `json:"displayName"`
	Policy     string        `json:"policyDefinitionId,omitempty"`
	Text       string        `json:"description,omitempty"`
	Remedy     string        `json:"remediationDescription,omitempty"`
	Categories []string      `json:"categories,omitempty"`
	Severity   string        `json:"severity"`
	Impact     string        `json:"userImpact,omitempty"`
	Effort     string        `json:"implementationEffort,omitempty"`
	Threats    []string      `json:"threats,omitempty"`
	Preview    bool          `json:"preview"`
	Type       string        `json:"assessmentType"`
	Published  *publishDates `json:"publishDates,omitempty"`
}

type publishDates struct {
	Public string `json:"public"`
}

// published is when this platform's checks came to be, in the form Azure shows.
const published = "11/27/2026 00:00:00"

func checkMetadata(c *assess.Check, version string) shownMetadata {
	m := shownMetadata{
		Display: c.DisplayName, Policy: c.PolicyID(), Text: c.Description, Remedy: c.Remedy, Categories: c.Categories, Severity: c.Severity, Impact: c.Impact,
		Effort: c.Effort, Threats: c.Threats, Type: "BuiltIn",
	}
	if version >= datesSince {
		m.Published = &publishDates{published}
	}
	return m
}

func (m *metadata) shown(version string) shownMetadata {
	out := shownMetadata{
		Display: m.DisplayName, Text: m.Description, Remedy: m.Remedy, Categories: m.Categories, Severity: m.Severity, Impact: m.Impact, Effort: m.Effort, Threats: m.Threats,
		Preview: m.Preview, Type: "CustomerManaged",
	}
	if version >= datesSince {
		out.Published = &publishDates{published}
	}
	return out
}

// metadataType has what the assessments of a subscription are about: the checks, and what was put for custom ones.
func (s *Service) metadataType() arm.Type {
	own := func(c *arm.Call, name string, m shownMetadata) *arm.Resource {
		return &arm.Resource{ID: "/subscriptions/" + c.ID.Subscription + "/providers/" + metadataTypeName + "/" + name, Name: name, Type: metadataTypeName, Properties: raw(m)}
	}
	return arm.Type{
		Name: metadataTypeName, Scope: arm.InSubscription, Untracked: true, Versions: assessmentVersions,
		Get: func(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
			if check := assess.Find(c.ID.Name()); check != nil {
				return own(c, check.Name, checkMetadata(check, c.Version)), nil
			}
			m, err := s.customMetadata(ctx, c.ID.Subscription, c.ID.Name())
			if err != nil || m == nil {
				return nil, err
			}
			return own(c, m.Name, m.shown(c.Version)), nil
		},
		List: func(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
			var out []*arm.Resource
			for i := range assess.Checks() {
				check := &assess.Checks()[i]
				out = append(out, own(c, check.Name, checkMetadata(check, c.Version)))
			}
			rows, err := loadAll(ctx, s.deps.Store, subShard(c.ID.Subscription), ownKey(tagMetadata, ""), metadataCodec)
			for _, m := range rows {
				out = append(out, own(c, m.Name, m.shown(c.Version)))
			}
			slices.SortFunc(out, func(a, b *arm.Resource) int { return strings.Compare(a.Name, b.Name) })
			return out, err
		},
		Put: func(_ context.Context, c *arm.Call) error {
			m, err := readMetadata(c)
			if err != nil {
				return err
			}
			c.New.Name, c.New.Properties, c.New.ETag = m.Name, raw(m.shown(c.Version)), ""
			c.Prepared, err = metadataCodec.Encode(*m)
			return err
		},
		OnCreate: 200,
		Commit: func(tx store.Tx, c *arm.Call) error {
			return tx.Put(ownKey(tagMetadata, c.ID.Name()), c.Prepared.([]byte))
		},
		Delete: func(_ context.Context, c *arm.Call) error {
			if assess.Find(c.ID.Name()) != nil {
				return fault.New(fault.Conflict, "BuiltInAssessment", "The metadata '%s' is of a built-in assessment and can't be deleted.", c.ID.Name())
			}
			return nil
		},
		CommitDelete: func(tx store.Tx, c *arm.Call) error { return tx.Delete(ownKey(tagMetadata, c.ID.Name())) },
	}
}

func (s *Service) customMetadata(ctx context.Context, subscription, name string) (*metadata, error) {
	return load(ctx, s.deps.Store, subShard(subscription), ownKey(tagMetadata, name), metadataCodec)
}

func readMetadata(c *arm.Call) (*metadata, error) {
	name := strings.ToLower(c.ID.Name())
	if !ids.IsGUID(name) {
		return nil, bad("The name of assessment metadata is a GUID, not '%.60s'.", name)
	}
	if assess.Find(name) != nil {
		return nil, fault.New(fault.Conflict, "BuiltInAssessment", "The metadata '%s' is of a built-in assessment and can't be changed.", name)
	}
	in, err := body(c)
	if err != nil {
		return nil, err
	}
	m := &metadata{Name: name, DisplayName: in.String("displayName"), Description: in.String("description"), Remedy: in.String("remediationDescription")}
	if m.DisplayName == "" {
		return nil, bad("The property 'displayName' is required.")
	}
	if _, err := oneOf(in, "assessmentType", "CustomerManaged", "CustomerManaged"); err != nil {
		return nil, err
	}
	if m.Severity, err = oneOf(in, "severity", "", "Low", "Medium", "High"); err != nil {
		return nil, err
	}
	for to, name := range map[*string]string{&m.Impact: "userImpact", &m.Effort: "implementationEffort"} {
		if in.Has(name) {
			if *to, err = oneOf(in, name, "", "Low", "Moderate", "High"); err != nil {
				return nil, err
			}
		}
	}
	for name, to := range map[string]any{"categories": &m.Categories, "threats": &m.Threats, "preview": &m.Preview} {
		if err := in.Decode(name, to); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// shownItem is a resource outside of any subscription.
type shownItem struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Type       string `json:"type"`
	Properties any    `json:"properties"`
}

// tenantRoutes are the catalogues, which are the same for everybody.
func (s *Service) tenantRoutes() []wire.Route {
	route := func(pattern, operation, first string, h wire.Handler) wire.Route {
		return wire.Route{
			Host: wire.HostARM, Method: http.MethodGet, Pattern: "/providers/" + pattern, Operation: operation + "/read",
			Versions: wire.Versions{Required: true, First: first}, Auth: s.deps.SignedIn, Handler: h,
		}
	}
	item := func(c *assess.Check, version string) shownItem {
		return shownItem{"/providers/" + metadataTypeName + "/" + c.Name, c.Name, metadataTypeName, checkMetadata(c, version)}
	}
	return []wire.Route{
		route(metadataTypeName, metadataTypeName, assessmentVersions[0], func(_ context.Context, r *wire.Request) (any, error) {
			var out []shownItem
			for i := range assess.Checks() {
				out = append(out, item(&assess.Checks()[i], r.APIVersion))
			}
			return wire.NewPage(out, ""), nil
		}),
		route(metadataTypeName+"/{name}", metadataTypeName, assessmentVersions[0], func(_ context.Context, r *wire.Request) (any, error) {
			c := assess.Find(r.Param("name"))
			if c == nil {
				return nil, fault.New(fault.NotFound, "ResourceNotFound", "There is no built-in assessment '%.60s'.", r.Param("name"))
			}
			return item(c, r.APIVersion), nil
		}),
		route(definitionTypeName, definitionTypeName, scoreVersions[0], func(context.Context, *wire.Request) (any, error) {
			var out []shownItem
			for _, c := range assess.Controls() {
				out = append(out, definitionItem(c))
			}
			return wire.NewPage(out, ""), nil
		}),
	}
}
