package directory

import "strings"

// firstClient is one of Azure's own public clients: known in every tenant without registration, trusted without asking the user.
type firstClient struct {
	appID, name string
	redirects   []string
	portal      bool // also the portal's own page, under whatever name the client came in by
}

const nativeClient = "https://login.microsoftonline.com/common/oauth2/nativeclient"

var firstClients = []firstClient{
	{appID: "04b07795-8ddb-461a-bbee-02f9e1bf7b46", name: "Microsoft Azure CLI", redirects: []string{"http://localhost", nativeClient, "urn:ietf:wg:oauth:2.0:oob"}},
	{appID: "1950a258-227b-4e31-a9cf-717495945fc2", name: "Microsoft Azure PowerShell", redirects: []string{"http://localhost", nativeClient, "urn:ietf:wg:oauth:2.0:oob"}},
	{appID: "c44b4083-3bb0-49c1-b47d-974e53cbdf3c", name: "Azure Portal", portal: true},
}

// portalReply is the page of the portal that takes answers.
const portalReply = "/signin/code"

func findFirstClient(appID string) *firstClient {
	for i := range firstClients {
		if strings.EqualFold(firstClients[i].appID, appID) {
			return &firstClients[i]
		}
	}
	return nil
}

// in makes what c would have in a tenant, were it registered.
func (c *firstClient) in(tenant *Tenant) (*SP, *Application) {
	return (&firstParty{name: c.name, appID: c.appID}).principal(tenant.ID),
		&Application{AppID: c.appID, ObjectID: c.appID, DisplayName: c.name, SignInAudience: "AzureADMultipleOrgs"}
}

// firstScopes are the scopes that Azure's own clients hold on each of Azure's own APIs.
func firstScopes(resourceAppID string) []string {
	if resourceAppID == graphAppID {
		return []string{"AuditLog.Read.All", "Directory.AccessAsUser.All", "email", "Group.ReadWrite.All", "openid", "profile", "User.ReadWrite.All"}
	}
	return []string{"user_impersonation"}
}
