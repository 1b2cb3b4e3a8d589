package web

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/proc"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// siteEnv is what a site's process finds in its environment from the site itself: settings, under both names App Service gives them, and connection strings.
func (s *Service) siteEnv(d *desired, settings, connections map[string]string, home string) []string {
	env := []string{"HOME=" + home}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		env = append(env, name+"="+settings[name], "APPSETTING_"+name+"="+settings[name])
	}
	for _, name := range slices.Sorted(maps.Keys(connections)) {
		env = append(env, connectionPrefixes[d.connections[name].Type]+name+"="+connections[name])
	}
	name := strings.ToLower(d.site.Name)
	group, subscription := "", ""
	if id, err := parseSiteID(d.site.ID); err == nil {
		group, subscription = id.ResourceGroup, id.Subscription
	}
	return append(env,
		"WEBSITE_SITE_NAME="+d.site.Name,
		"WEBSITE_HOSTNAME="+s.deps.Hosts.Authority(wire.Host{Public: true}, wire.HostSite, name),
		"WEBSITE_RESOURCE_GROUP="+group,
		"WEBSITE_OWNER_NAME="+subscription+"+"+strings.ReplaceAll(d.site.Location, " ", "")+"webspace",
		"WEBSITE_INSTANCE_ID="+strings.ReplaceAll(d.site.GUID, "-", "")+strings.ReplaceAll(d.site.GUID, "-", ""),
		"WEBSITE_SKU=Basic",
		"REGION_NAME="+d.site.Location,
	)
}

// parseSiteID takes the id of a resource in a group apart.
func parseSiteID(id string) (out arm.ID, err error) {
	if _, err := shardOf(id); err != nil {
		return out, err
	}
	parts := strings.Split(strings.Trim(id, "/"), "/")
	out.Subscription = parts[1]
	if len(parts) > 3 {
		out.ResourceGroup = parts[3]
	}
	return out, nil
}

// lend gives a process what it may use as long as it lives: the way to the platform, and, if the site has an identity, the secret for its tokens.
func (s *Service) lend(d *desired) (env []string, release func()) {
	var releases []func()
	if s.deps.ProcessEnv != nil {
		more, done := s.deps.ProcessEnv(d.site.ID)
		env, releases = append(env, more...), append(releases, done)
	}
	disabled := d.settings["WEBSITE_DISABLE_MSI"]
	if d.site.Identity != nil && !strings.EqualFold(disabled, "true") && disabled != "1" {
		path, secret, done := s.deps.Identities.Register(d.site.ID)
		url := strings.TrimSuffix(s.deps.IdentityURL, "/") + path
		env = append(env, "IDENTITY_ENDPOINT="+url, "IDENTITY_HEADER="+secret, "MSI_ENDPOINT="+url, "MSI_SECRET="+secret)
		releases = append(releases, done)
	}
	return env, func() {
		for _, done := range releases {
			if done != nil {
				done()
			}
		}
	}
}

// processEnv is the whole environment of one process. Of two entries of one name the last counts: a setting may replace what the platform lends for reaching it (a
// proxy of one's own), but neither the identity nor the port.
func processEnv(site, lent []string, port int) []string {
	p := strconv.Itoa(port)
	var identity []string
	env := proc.BaseEnv()
	for _, v := range lent {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "IDENTITY_") || strings.HasPrefix(name, "MSI_") {
			identity = append(identity, v)
			continue
		}
		env = append(env, v)
	}
	env = append(append(env, site...), identity...)
	return append(env, "PORT="+p, "HTTP_PLATFORM_PORT="+p, "WEBSITES_PORT="+p, "FUNCTIONS_CUSTOMHANDLER_PORT="+p, "ASPNETCORE_URLS=http://127.0.0.1:"+p)
}
