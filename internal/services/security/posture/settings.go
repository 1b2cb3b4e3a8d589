package posture

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
)

const (
	dataExport = "DataExportSettings"
	alertSync  = "AlertSyncSettings"
)

// settingType has the switches that let Microsoft's other services take part. They are kept and shown; none of these services is here.
func (s *Service) settingType() arm.Type {
	kind := func(name string) string {
		if name == "Sentinel" {
			return alertSync
		}
		return dataExport
	}
	type enabled struct {
		Enabled bool `json:"enabled"`
	}
	return s.fixedType(fixed{
		name: namespace + "/settings", tag: tagSetting,
		versions: []string{"2017-08-01-preview", "2019-01-01", "2021-06-01", "2021-07-01", "2022-05-01"},
		names:    []string{"MCAS", "WDATP", "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW", "WDATP_UNIFIED_SOLUTION", "Sentinel"},
		kind:     kind,
		initial:  func(string) any { return enabled{} },
		put: func(c *arm.Call, name string, _ json.RawMessage) (any, error) {
			in, err := body(c)
			if err != nil {
				return nil, err
			}
			if sent := c.Body.String("kind"); !strings.EqualFold(sent, kind(name)) {
				return nil, bad("The setting '%s' is of kind %s, not '%.60s'.", name, kind(name), sent)
			}
			c.New.Kind = kind(name)
			var v enabled
			if !in.Has("enabled") {
				return nil, bad("The property 'enabled' is required.")
			}
			return v, in.Decode("enabled", &v.Enabled)
		},
	})
}

// autoProvisioningType says whether agents are put on new machines. It is kept and shown; machines enrol themselves.
func (s *Service) autoProvisioningType() arm.Type {
	type provision struct {
		Auto string `json:"autoProvision"`
	}
	return s.fixedType(fixed{
		name: namespace + "/autoProvisioningSettings", tag: tagProvide, versions: []string{"2017-08-01-preview"}, names: []string{"default"},
		initial: func(string) any { return provision{"Off"} },
		put: func(c *arm.Call, _ string, _ json.RawMessage) (any, error) {
			in, err := body(c)
			if err != nil {
				return nil, err
			}
			auto, err := oneOf(in, "autoProvision", "", "On", "Off")
			return provision{auto}, err
		},
	})
}

// workspaceSettingType says which workspace the data of a scope goes to. It is kept and shown; there are no workspaces here.
func (s *Service) workspaceSettingType() arm.Type {
	return arm.Type{
		Name: namespace + "/workspaceSettings", Scope: arm.InSubscription, Untracked: true, Versions: []string{"2017-08-01-preview"}, OnCreate: 200, OnDelete: 204,
		Put: func(_ context.Context, c *arm.Call) error {
			in, err := body(c)
			if err != nil {
				return err
			}
			if !strings.EqualFold(c.New.Name, "default") {
				return bad("The workspace setting is named default, not '%.60s'.", c.New.Name)
			}
			workspace, err := arm.ParseID(in.String("workspaceId"))
			if err != nil {
				return err
			}
			if workspace.Collection() || !strings.EqualFold(workspace.Type(), "Microsoft.OperationalInsights/workspaces") {
				return bad("The workspaceId '%.200s' is not the id of a workspace.", in.String("workspaceId"))
			}
			scope := in.String("scope")
			if !within(scope, "/subscriptions/"+c.ID.Subscription) {
				return bad("The scope '%.200s' is not in the subscription.", scope)
			}
			c.New.ETag = ""
			c.New.Properties = raw(struct {
				Workspace string `json:"workspaceId"`
				Scope     string `json:"scope"`
			}{workspace.String(), scope})
			return nil
		},
	}
}

// locationType has the one location of a subscription's security data.
func (s *Service) locationType() arm.Type {
	at := func(c *arm.Call) *arm.Resource {
		return &arm.Resource{
			ID: "/subscriptions/" + c.ID.Subscription + "/providers/" + namespace + "/locations/" + HomeRegion, Name: HomeRegion, Type: namespace + "/locations",
			Properties: json.RawMessage(`{"homeRegionName":"` + HomeRegion + `"}`),
		}
	}
	return arm.Type{
		Name: namespace + "/locations", Scope: arm.InSubscription, Untracked: true, Versions: []string{"2015-06-01-preview"},
		Get: func(_ context.Context, c *arm.Call) (*arm.Resource, error) {
			if !strings.EqualFold(c.ID.Name(), HomeRegion) {
				return nil, nil
			}
			return at(c), nil
		},
		List: func(_ context.Context, c *arm.Call) ([]*arm.Resource, error) { return []*arm.Resource{at(c)}, nil },
	}
}
