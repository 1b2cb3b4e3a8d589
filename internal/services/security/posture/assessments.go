package posture

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/security/posture/assess"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const (
	assessmentTypeName = namespace + "/assessments"
	newestAssessment   = "2025-05-04"
	datesSince         = "2021-06-01" // the first api-version that shows since when a verdict stands
)

var assessmentVersions = []string{"2019-01-01-preview", "2020-01-01", "2021-06-01", "2024-12-01", newestAssessment}

func assessmentID(resource, name string) string {
	return resource + "/providers/" + assessmentTypeName + "/" + name
}

// assessmentType has the verdicts on resources, and what other tools say of them (PUT, with metadata of their own).
func (s *Service) assessmentType() arm.Type {
	return arm.Type{
		Name: assessmentTypeName, Scope: arm.AtAnyScope, Untracked: true, Versions: assessmentVersions,
		Get: s.getAssessment, List: s.listAssessments, Put: s.putAssessment,
		Commit: func(tx store.Tx, c *arm.Call) error { return tx.Put(customKey(c), c.Prepared.([]byte)) },
		Delete: func(_ context.Context, c *arm.Call) error {
			if assess.Find(c.ID.Name()) != nil {
				return builtIn(c.ID.Name())
			}
			return nil
		},
		CommitDelete: func(tx store.Tx, c *arm.Call) error { return tx.Delete(customKey(c)) },
		Actions:      []arm.Action{{Verb: "remediate", Handler: s.remediate}},
	}
}

func customKey(c *arm.Call) []byte { return ownKey(tagCustom, scopeOf(c), c.ID.Name()) }

func builtIn(name string) error {
	return fault.New(fault.Conflict, "BuiltInAssessment", "The assessment '%s' is judged from the resource's state; it can't be written. Change the resource, or POST to its remediate.", name)
}

// expansion is what $expand asks for.
type expansion struct{ metadata, links bool }

func expand(c *arm.Call) (x expansion, err error) {
	for _, part := range strings.Split(c.Query("$expand"), ",") {
		switch strings.ToLower(strings.TrimSpace(part)) {
		case "":
		case "metadata":
			x.metadata = true
		case "links":
			x.links = true
		default:
			return x, bad("Invalid $expand: '%.60s' is neither metadata nor links.", part)
		}
	}
	return x, nil
}

func (s *Service) getAssessment(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
	x, err := expand(c)
	if err != nil {
		return nil, err
	}
	if check := assess.Find(c.ID.Name()); check != nil {
		j, _, err := s.judge(ctx, c)
		if err != nil || j == nil {
			return nil, err
		}
		return j.resource(c.Version, x), nil
	}
	rec, err := load(ctx, s.deps.Store, subShard(c.ID.Subscription), customKey(c), customCodec)
	if err != nil || rec == nil {
		return nil, err
	}
	m, err := s.customMetadata(ctx, c.ID.Subscription, rec.Name)
	return rec.resource(c.Version, x, m), err
}

// judge finds the verdict a call is about; nil if the check says nothing of the resource.
func (s *Service) judge(ctx context.Context, c *arm.Call) (*judged, *assess.State, error) {
	if c.ID.Subscription == "" {
		return nil, nil, nil
	}
	all, st, err := s.evaluate(ctx, c.ID.Subscription)
	if err != nil {
		return nil, nil, err
	}
	for i := range all {
		if strings.EqualFold(all[i].Resource.ID, scopeOf(c)) && strings.EqualFold(all[i].Check.Name, c.ID.Names[0]) {
			return &all[i], st, nil
		}
	}
	return nil, st, nil
}

func (s *Service) listAssessments(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
	x, err := expand(c)
	if err != nil {
		return nil, err
	}
	if c.ID.Subscription == "" {
		return nil, notImplemented("Assessments of management groups are")
	}
	all, st, err := s.evaluate(ctx, c.ID.Subscription)
	if err != nil {
		return nil, err
	}
	var list []item
	for _, j := range below(all, scopeOf(c)) {
		list = append(list, item{assessmentID(j.Resource.ID, j.Check.Name), func() (*arm.Resource, error) { return j.resource(c.Version, x), nil }})
	}
	own, err := s.customs(ctx, c.ID.Subscription, st)
	if err != nil {
		return nil, err
	}
	for _, rec := range own {
		if !within(rec.Resource, scopeOf(c)) {
			continue
		}
		list = append(list, item{assessmentID(rec.Resource, rec.Name), func() (*arm.Resource, error) {
			m, err := s.customMetadata(ctx, c.ID.Subscription, rec.Name)
			return rec.resource(c.Version, x, m), err
		}})
	}
	return paged(c, list)
}

// customs lists what other tools said of resources that are still there.
func (s *Service) customs(ctx context.Context, subscription string, st *assess.State) ([]custom, error) {
	rows, err := loadAll(ctx, s.deps.Store, subShard(subscription), ownKey(tagCustom, ""), customCodec)
	if err != nil {
		return nil, err
	}
	there := map[string]bool{"/subscriptions/" + strings.ToLower(subscription): true}
	for _, r := range st.Resources {
		there[strings.ToLower(r.ID)] = true
	}
	var out []custom
	for _, rec := range rows {
		if there[strings.ToLower(rec.Resource)] {
			out = append(out, rec)
		}
	}
	slices.SortFunc(out, func(a, b custom) int { return strings.Compare(a.Resource+"|"+a.Name, b.Resource+"|"+b.Name) })
	return out, nil
}

func (s *Service) putAssessment(ctx context.Context, c *arm.Call) error {
	name := c.ID.Name()
	if assess.Find(name) != nil {
		return builtIn(name)
	}
	if c.ID.Subscription == "" {
		return notImplemented("Assessments of management groups are")
	}
	m, err := s.customMetadata(ctx, c.ID.Subscription, name)
	if err != nil {
		return err
	}
	if m == nil {
		return fault.New(fault.NotFound, "AssessmentMetadataNotFound", "There is no assessment metadata '%.60s' in the subscription: put that first.", name)
	}
	in, err := body(c)
	if err != nil {
		return err
	}
	status := in.Object("status")
	code, err := oneOf(status, "code", "", string(assess.Healthy), string(assess.Unhealthy), string(assess.NotApplicable))
	if err != nil {
		return err
	}
	now := c.New.Changed
	rec := custom{Resource: scopeOf(c), Name: m.Name, Code: assess.Code(code), Cause: status.String("cause"), Text: status.String("description"), First: now, Changed: now}
	if err := in.Decode("additionalData", &rec.Additional); err != nil {
		return err
	}
	was, err := load(ctx, s.deps.Store, subShard(c.ID.Subscription), customKey(c), customCodec)
	if err != nil {
		return err
	}
	if was != nil {
		rec.First = was.First
		if was.Code == rec.Code {
			rec.Changed = was.Changed
		}
	}
	c.New = rec.resource(c.Version, expansion{}, m)
	c.Prepared, err = customCodec.Encode(rec)
	return err
}

// status is a verdict on the wire.
type status struct {
	Code        assess.Code `json:"code"`
	Cause       string      `json:"cause,omitempty"`
	Description string      `json:"description,omitempty"`
	First       *time.Time  `json:"firstEvaluationDate,omitempty"`
	Changed     *time.Time  `json:"statusChangeDate,omitempty"`
}

func (s status) dated(version string, first, changed time.Time) status {
	if version >= datesSince {
		first, changed = first.UTC(), changed.UTC()
		s.First, s.Changed = &first, &changed
	}
	return s
}

// shownAssessment are an assessment's properties on the wire.
type shownAssessment struct {
	Display    string            `json:"displayName"`
	Status     status            `json:"status"`
	Resource   shownResource     `json:"resourceDetails"`
	Additional map[string]string `json:"additionalData,omitempty"`
	Metadata   *shownMetadata    `json:"metadata,omitempty"`
	Links      *shownLinks       `json:"links,omitempty"`
}

type shownResource struct {
	Source string `json:"source"`
	ID     string `json:"id"`
}

type shownLinks struct {
	Portal string `json:"azurePortalUri"`
}

func links(resource, name string) *shownLinks {
	return &shownLinks{"portal.azure.com/#blade/Microsoft_Azure_Security/RecommendationsBlade/assessmentKey/" + name + "/resourceId/" + strings.ReplaceAll(resource, "/", "%2f")}
}

func (j *judged) properties(version string, withMetadata bool) shownAssessment {
	p := shownAssessment{
		Display: j.Check.DisplayName, Resource: shownResource{"Azure", j.Resource.ID},
		Status: status{Code: j.Verdict.Code, Cause: j.Cause, Description: j.Description}.dated(version, j.First, j.Changed),
	}
	if len(j.Parts) > 0 {
		p.Additional = map[string]string{"subAssessmentsLink": assessmentID(j.Resource.ID, j.Check.Name) + "/subAssessments"}
	}
	if withMetadata {
		m := checkMetadata(j.Check, version)
		p.Metadata = &m
	}
	return p
}

func (j *judged) resource(version string, x expansion) *arm.Resource {
	p := j.properties(version, x.metadata)
	if x.links {
		p.Links = links(j.Resource.ID, j.Check.Name)
	}
	return &arm.Resource{ID: assessmentID(j.Resource.ID, j.Check.Name), Name: j.Check.Name, Type: assessmentTypeName, Properties: raw(p)}
}

func (rec *custom) resource(version string, x expansion, m *metadata) *arm.Resource {
	p := shownAssessment{
		Resource: shownResource{"Azure", rec.Resource}, Additional: rec.Additional,
		Status: status{Code: rec.Code, Cause: rec.Cause, Description: rec.Text}.dated(version, rec.First, rec.Changed),
	}
	if m != nil {
		p.Display = m.DisplayName
		if x.metadata {
			shown := m.shown(version)
			p.Metadata = &shown
		}
	}
	if x.links {
		p.Links = links(rec.Resource, rec.Name)
	}
	return &arm.Resource{ID: assessmentID(rec.Resource, rec.Name), Name: rec.Name, Type: assessmentTypeName, Properties: raw(p)}
}

// subAssessmentVersions are those of both lists.
var subAssessmentVersions = []string{"2019-01-01-preview", "2020-01-01"}

// subAssessmentType has what of a resource is wrong, one by one: the rules, keys or role assignments behind a verdict.
func (s *Service) subAssessmentType() arm.Type {
	return arm.Type{
		Name: assessmentTypeName + "/subAssessments", Scope: arm.AtAnyScope, Untracked: true, Versions: subAssessmentVersions,
		Get: func(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
			j, _, err := s.judge(ctx, c)
			if err != nil || j == nil {
				return nil, err
			}
			for i := range j.Parts {
				if strings.EqualFold(j.partName(i), c.ID.Name()) {
					return j.part(i), nil
				}
			}
			return nil, nil
		},
		List: func(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
			return s.listParts(ctx, c, func(j *judged) bool { return strings.EqualFold(j.Check.Name, c.ID.Names[0]) })
		},
	}
}

// subAssessmentListType lists those of every assessment of a scope.
func (s *Service) subAssessmentListType() arm.Type {
	return arm.Type{
		Name: namespace + "/subAssessments", Scope: arm.AtAnyScope, Untracked: true, Versions: subAssessmentVersions,
		Get: func(context.Context, *arm.Call) (*arm.Resource, error) { return nil, nil },
		List: func(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
			return s.listParts(ctx, c, func(*judged) bool { return true })
		},
	}
}

func (s *Service) listParts(ctx context.Context, c *arm.Call, keep func(*judged) bool) ([]*arm.Resource, error) {
	if c.ID.Subscription == "" {
		return nil, notImplemented("Assessments of management groups are")
	}
	all, _, err := s.evaluate(ctx, c.ID.Subscription)
	if err != nil {
		return nil, err
	}
	var list []item
	for _, j := range below(all, scopeOf(c)) {
		for i := range j.Parts {
			if keep(&j) {
				list = append(list, item{assessmentID(j.Resource.ID, j.Check.Name) + "/" + j.partName(i), func() (*arm.Resource, error) { return j.part(i), nil }})
			}
		}
	}
	return paged(c, list)
}

func (j *judged) partName(i int) string {
	return guid(j.Resource.ID, j.Check.Name, j.Parts[i].Key)
}

func (j *judged) part(i int) *arm.Resource {
	p, id := j.Parts[i], assessmentID(j.Resource.ID, j.Check.Name)
	name := j.partName(i)
	return &arm.Resource{ID: id + "/subAssessments/" + name, Name: name, Type: assessmentTypeName + "/subAssessments", Properties: raw(map[string]any{
		"id": p.Key, "displayName": p.DisplayName, "description": p.Description, "remediation": j.Check.Remedy, "impact": j.Check.Description,
		"category": j.Check.Categories[0], "timeGenerated": j.Changed.UTC(), "resourceDetails": shownResource{"Azure", j.Resource.ID},
		"status": map[string]any{"code": j.Verdict.Code, "severity": j.Check.Severity, "cause": j.Cause, "description": p.Description},
	})}
}
