package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// language is one that a site may name in linuxFxVersion, and its versions, the newest first.
type language struct {
	name, text string // "python", "Python"
	family     string // as linuxFxVersion begins: PYTHON
	versions   []string
}

// languages are those clients may ask for. The name is kept and shown; what runs is what this machine has installed.
var languages = []language{
	{"dotnet", ".NET", "DOTNETCORE", []string{"10.0", "9.0", "8.0"}},
	{"node", "Node", "NODE", []string{"24-lts", "22-lts", "20-lts"}},
	{"python", "Python", "PYTHON", []string{"3.14", "3.13", "3.12", "3.11", "3.10"}},
	{"php", "PHP", "PHP", []string{"8.4", "8.3", "8.2"}},
}

// The answer of webAppStacks, as far as clients read it
// (https://learn.microsoft.com/rest/api/appservice/provider/get-web-app-stacks).
type (
	stack struct {
		ID         string          `json:"id"`
		Name       string          `json:"name"`
		Type       string          `json:"type"`
		Properties stackProperties `json:"properties"`
	}
	stackProperties struct {
		DisplayText   string         `json:"displayText"`
		Value         string         `json:"value"`
		PreferredOS   string         `json:"preferredOs"`
		MajorVersions []stackVersion `json:"majorVersions"`
	}
	stackVersion struct {
		DisplayText   string         `json:"displayText"`
		Value         string         `json:"value"`
		MinorVersions []stackVersion `json:"minorVersions,omitempty"`
		Settings      *stackSettings `json:"stackSettings,omitempty"`
	}
	stackSettings struct {
		Linux linuxRuntime `json:"linuxRuntimeSettings"`
	}
	linuxRuntime struct {
		RuntimeVersion           string     `json:"runtimeVersion"`
		RemoteDebuggingSupported bool       `json:"remoteDebuggingSupported"`
		AppInsightsSettings      supported  `json:"appInsightsSettings"`
		GitHubActionSettings     supported  `json:"gitHubActionSettings"`
		SupportedFeatures        noFeatures `json:"supportedFeatures"`
	}
	supported struct {
		IsSupported bool `json:"isSupported"`
	}
	noFeatures struct {
		DisableSSH bool `json:"disableSsh"`
	}
)

// stackRoutes list the runtimes that linuxFxVersion may name: az wants to see one there before it makes a site with it.
func (s *Service) stackRoutes() []wire.Route {
	route := func(pattern string) wire.Route {
		return wire.Route{
			Host: wire.HostARM, Method: http.MethodGet, Pattern: pattern, Operation: "Microsoft.Web/webAppStacks/read",
			Versions: wire.Versions{Required: true, First: versions[0]}, Auth: s.deps.SignedIn, Handler: listStacks,
		}
	}
	return []wire.Route{route("/providers/Microsoft.Web/webAppStacks"), route("/providers/Microsoft.Web/locations/{location}/webAppStacks")}
}

func listStacks(_ context.Context, r *wire.Request) (any, error) {
	out := []stack{}
	for _, rt := range languages {
		if os := r.Query("stackOsType"); os != "" && !strings.EqualFold(os, "Linux") && !strings.EqualFold(os, "All") {
			continue // nothing here runs on Windows
		}
		out = append(out, rt.stack())
	}
	return map[string]any{"value": out}, nil
}

func (rt language) stack() stack {
	p := stackProperties{DisplayText: rt.text, Value: rt.name, PreferredOS: "linux"}
	for _, v := range rt.versions {
		number, _, _ := strings.Cut(v, "-")
		text := rt.text + " " + number
		p.MajorVersions = append(p.MajorVersions, stackVersion{DisplayText: text, Value: number, MinorVersions: []stackVersion{{
			DisplayText: text, Value: v, Settings: &stackSettings{linuxRuntime{RuntimeVersion: rt.family + "|" + v}},
		}}})
	}
	return stack{ID: "/providers/Microsoft.Web/webAppStacks/" + rt.name, Name: rt.name, Type: "Microsoft.Web/webAppStacks", Properties: p}
}
