package rbac

import "strings"

// Role is a role definition.
type Role struct {
	ID          string // GUID
	Name        string
	Description string
	Permissions []Permission
	Key         string // of a custom role: chosen when it was made; "" for a built-in one
}

// Ids of the roles the platform itself assigns.
const (
	OwnerID                   = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
	ContributorID             = "b24988ac-6180-42a0-ab88-20f7382dd24c"
	ReaderID                  = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	UserAccessAdministratorID = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
)

// Roles are role definitions by id and name.
type Roles struct {
	all  []*Role
	byID map[string]*Role
}

// BuiltIn returns the built-in roles of this table.
func BuiltIn() *Roles {
	r := &Roles{byID: map[string]*Role{}}
	for _, role := range builtIn() {
		r.all = append(r.all, &role)
		r.byID[role.ID] = &role
	}
	return r
}

// All lists the roles by name.
func (r *Roles) All() []*Role { return r.all }

// ByID returns the role with that GUID in any case, nil if there is none.
func (r *Roles) ByID(id string) *Role { return r.byID[strings.ToLower(id)] }

func builtIn() []Role {
	// What nearly every role for one service may do beside it.
	around := []string{
		"Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/*", "Microsoft.Resources/deployments/*",
		"Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Support/*",
	}
	withHealth := append([]string{"Microsoft.ResourceHealth/availabilityStatuses/read"}, around...)
	vaultReads := append([]string{
		"Microsoft.KeyVault/checkNameAvailability/read", "Microsoft.KeyVault/deletedVaults/read", "Microsoft.KeyVault/locations/*/read",
		"Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/operations/read",
	}, around...)
	join := []string{"Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action"}
	role := func(id, name, description string, actions, notActions, dataActions []string) Role {
		return Role{ID: id, Name: name, Description: description, Permissions: []Permission{{some(actions), some(notActions), some(dataActions), []string{}}}}
	}
	return []Role{
		role("a97b65f3-24c7-4388-baec-2e87135dc908", "Cognitive Services User", "Lets you read and list keys of Cognitive Services.", []string{
			"Microsoft.CognitiveServices/*/read", "Microsoft.CognitiveServices/accounts/listkeys/action", "Microsoft.Insights/alertRules/read",
			"Microsoft.Insights/diagnosticSettings/read", "Microsoft.Insights/logDefinitions/read", "Microsoft.Insights/metricdefinitions/read",
			"Microsoft.Insights/metrics/read", "Microsoft.ResourceHealth/availabilityStatuses/read", "Microsoft.Resources/deployments/operations/read",
			"Microsoft.Resources/subscriptions/operationresults/read", "Microsoft.Resources/subscriptions/read",
			"Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Support/*",
		}, nil, []string{"Microsoft.CognitiveServices/*"}),
		role(ContributorID, "Contributor",
			"Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC, manage assignments in Azure Blueprints, or share image galleries.",
			[]string{"*"}, []string{
				"Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write", "Microsoft.Authorization/elevateAccess/Action",
				"Microsoft.Blueprint/blueprintAssignments/write", "Microsoft.Blueprint/blueprintAssignments/delete", "Microsoft.Compute/galleries/share/action",
				"Microsoft.Purview/consents/write", "Microsoft.Purview/consents/delete", "Microsoft.Resources/deploymentStacks/manageDenySetting/action",
				"Microsoft.Subscription/cancel/action", "Microsoft.Subscription/enable/action",
			}, nil),
		role("fbdf93bf-df7d-467e-a4d2-9458aa1360c8", "Cosmos DB Account Reader Role", "Can read Azure Cosmos DB Accounts data", []string{
			"Microsoft.Authorization/*/read", "Microsoft.DocumentDB/*/read", "Microsoft.DocumentDB/databaseAccounts/readonlykeys/action",
			"Microsoft.Insights/MetricDefinitions/read", "Microsoft.Insights/Metrics/read", "Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Support/*",
		}, nil, nil),
		role("230815da-be43-4aae-9cb4-875f7bd000aa", "Cosmos DB Operator",
			"Lets you manage Azure Cosmos DB accounts, but not access data in them. Prevents access to account keys and connection strings.",
			join3([]string{"Microsoft.DocumentDb/databaseAccounts/*"}, withHealth, join), cosmosKeys(), nil),
		role("5bd9cd88-fe45-4216-938b-f97437e15450", "DocumentDB Account Contributor", "Lets you manage DocumentDB accounts, but not access to them.",
			join3([]string{"Microsoft.DocumentDb/databaseAccounts/*"}, withHealth, join), nil, nil),
		role("00482a5a-887f-4fb3-b363-3b7fe8e74483", "Key Vault Administrator",
			"Perform all data plane operations on a key vault and all objects in it, including certificates, keys, and secrets. Cannot manage key vault resources or manage role assignments.",
			vaultReads, nil, []string{"Microsoft.KeyVault/vaults/*"}),
		role("db79e9a7-68ee-4b58-9aeb-b90e7c24fcba", "Key Vault Certificate User", "Read certificate contents.", nil, nil, []string{
			"Microsoft.KeyVault/vaults/certificates/read", "Microsoft.KeyVault/vaults/secrets/getSecret/action",
			"Microsoft.KeyVault/vaults/secrets/readMetadata/action", "Microsoft.KeyVault/vaults/keys/read",
		}),
		role("a4417e6f-fecd-4de8-b567-7b0420556985", "Key Vault Certificates Officer",
			"Perform any action on the certificates of a key vault, except manage permissions.", vaultReads, nil, []string{
				"Microsoft.KeyVault/vaults/certificatecas/*", "Microsoft.KeyVault/vaults/certificates/*", "Microsoft.KeyVault/vaults/certificatecontacts/write",
			}),
		role("f25e0fa2-a7c8-4377-a976-54943a77a395", "Key Vault Contributor",
			"Manage key vaults, but does not allow you to assign roles in Azure RBAC, and does not allow you to access secrets, keys, or certificates.",
			append([]string{"Microsoft.KeyVault/*"}, around...), []string{
				"Microsoft.KeyVault/locations/deletedVaults/purge/action", "Microsoft.KeyVault/hsmPools/*", "Microsoft.KeyVault/managedHsms/*",
			}, nil),
		role("14b46e9e-c2b7-41b4-b07b-48a6ebf60603", "Key Vault Crypto Officer", "Perform any action on the keys of a key vault, except manage permissions.",
			vaultReads, nil, []string{"Microsoft.KeyVault/vaults/keys/*", "Microsoft.KeyVault/vaults/keyrotationpolicies/*"}),
		role("12338af0-0e69-4776-bea7-57ae8d297424", "Key Vault Crypto User", "Perform cryptographic operations using keys.", nil, nil, []string{
			"Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/keys/update/action", "Microsoft.KeyVault/vaults/keys/backup/action",
			"Microsoft.KeyVault/vaults/keys/encrypt/action", "Microsoft.KeyVault/vaults/keys/decrypt/action", "Microsoft.KeyVault/vaults/keys/wrap/action",
			"Microsoft.KeyVault/vaults/keys/unwrap/action", "Microsoft.KeyVault/vaults/keys/sign/action", "Microsoft.KeyVault/vaults/keys/verify/action",
		}),
		role("21090545-7ca7-4776-b22c-e363652d74d2", "Key Vault Reader",
			"Read metadata of key vaults and its certificates, keys, and secrets. Cannot read sensitive values such as secret contents or key material.",
			vaultReads, nil, []string{"Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/secrets/readMetadata/action"}),
		role("b86a8fe4-44ce-4948-aee5-eccb2c155cd7", "Key Vault Secrets Officer", "Perform any action on the secrets of a key vault, except manage permissions.",
			vaultReads, nil, []string{"Microsoft.KeyVault/vaults/secrets/*"}),
		role("4633458b-17de-408a-b874-0445c86b69e6", "Key Vault Secrets User", "Read secret contents.", nil, nil, []string{
			"Microsoft.KeyVault/vaults/secrets/getSecret/action", "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
		}),
		role("e147488a-f6f5-4113-8e2d-b22465e65bf6", "Key Vault Crypto Service Encryption User",
			"Read metadata of keys and perform wrap/unwrap operations.", []string{
				"Microsoft.EventGrid/eventSubscriptions/write", "Microsoft.EventGrid/eventSubscriptions/read", "Microsoft.EventGrid/eventSubscriptions/delete",
			}, nil, []string{"Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/keys/wrap/action", "Microsoft.KeyVault/vaults/keys/unwrap/action"}),
		role("641177b8-a67a-45b9-a033-47bc880bb21e", "Managed Application Contributor Role", "Allows for creating managed application resources.",
			[]string{"*/read", "Microsoft.Solutions/applications/*", "Microsoft.Solutions/register/action", "Microsoft.Resources/subscriptions/resourceGroups/*", "Microsoft.Resources/deployments/*"}, nil, nil),
		role("c7393b34-138c-406f-901b-d8cf2b17e6ae", "Managed Application Operator Role", "Lets you read and perform actions on Managed Application resources",
			[]string{"*/read", "Microsoft.Solutions/applications/read", "Microsoft.Solutions/*/action"}, nil, nil),
		role("b9331d33-8a36-4f8c-b097-4f54124fdb44", "Managed Applications Reader", "Lets you read resources in a managed app and request JIT access.",
			[]string{"*/read", "Microsoft.Resources/deployments/*", "Microsoft.Solutions/jitRequests/*"}, nil, nil),
		role("e40ec5ca-96e0-45a2-b4ff-59039f2c2b59", "Managed Identity Contributor", "Create, Read, Update, and Delete User Assigned Identity",
			append([]string{
				"Microsoft.ManagedIdentity/userAssignedIdentities/read", "Microsoft.ManagedIdentity/userAssignedIdentities/write",
				"Microsoft.ManagedIdentity/userAssignedIdentities/delete",
			}, around...), nil, nil),
		role("f1a07417-d97a-45cb-824c-7a7467783830", "Managed Identity Operator", "Read and Assign User Assigned Identity",
			append([]string{"Microsoft.ManagedIdentity/userAssignedIdentities/*/read", "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action"}, around...), nil, nil),
		role("5d58bcaf-24a5-4b20-bdb6-eed9f69fbe4c", "Management Group Contributor", "Management Group Contributor Role", []string{
			"Microsoft.Management/managementGroups/delete", "Microsoft.Management/managementGroups/read", "Microsoft.Management/managementGroups/subscriptions/delete",
			"Microsoft.Management/managementGroups/subscriptions/write", "Microsoft.Management/managementGroups/write", "Microsoft.Management/managementGroups/subscriptions/read",
			"Microsoft.Authorization/*/read",
		}, nil, nil),
		role("ac63b705-f282-497d-ac71-919bf39d939d", "Management Group Reader", "Management Group Reader Role", []string{
			"Microsoft.Management/managementGroups/read", "Microsoft.Management/managementGroups/subscriptions/read", "Microsoft.Authorization/*/read",
		}, nil, nil),
		role("749f88d5-cbae-40b8-bcfc-e573ddc772fa", "Monitoring Contributor", "Can read all monitoring data and update monitoring settings.", []string{
			"*/read", "Microsoft.AlertsManagement/alerts/*", "Microsoft.AlertsManagement/alertsSummary/*", "Microsoft.AlertsManagement/smartDetectorAlertRules/*",
			"Microsoft.AlertsManagement/smartGroups/*", "Microsoft.AlertsManagement/actionRules/*", "Microsoft.Insights/actionGroups/*",
			"Microsoft.Insights/activityLogAlerts/*", "Microsoft.Insights/AlertRules/*", "Microsoft.Insights/components/*", "Microsoft.Insights/DiagnosticSettings/*",
			"Microsoft.Insights/eventtypes/*", "Microsoft.Insights/LogDefinitions/*", "Microsoft.Insights/metricalerts/*", "Microsoft.Insights/MetricDefinitions/*",
			"Microsoft.Insights/Metrics/*", "Microsoft.Insights/Register/Action", "Microsoft.Insights/scheduledqueryrules/*", "Microsoft.Insights/webtests/*",
			"Microsoft.OperationalInsights/workspaces/search/action", "Microsoft.OperationalInsights/workspaces/sharedKeys/action", "Microsoft.Support/*",
			"Microsoft.WorkloadMonitor/monitors/*",
		}, nil, nil),
		role("3913510d-42f4-4e42-8a64-420c390055eb", "Monitoring Metrics Publisher", "Enables publishing metrics against Azure resources", []string{
			"Microsoft.Insights/Register/Action", "Microsoft.Support/*", "Microsoft.Resources/subscriptions/resourceGroups/read",
		}, nil, []string{"Microsoft.Insights/Metrics/Write", "Microsoft.Insights/Telemetry/Write"}),
		role("43d0d8ad-25c7-4714-9337-8ba259a9fe05", "Monitoring Reader", "Can read all monitoring data.",
			[]string{"*/read", "Microsoft.OperationalInsights/workspaces/search/action", "Microsoft.Support/*"}, nil, nil),
		role("4d97b98b-1d4f-4787-a291-c67834d212e7", "Network Contributor", "Lets you manage networks, but not access to them.",
			append([]string{"Microsoft.Network/*"}, withHealth...), nil, nil),
		role(OwnerID, "Owner", "Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.", []string{"*"}, nil, nil),
		role(ReaderID, "Reader", "View all resources, but does not allow you to make any changes.", []string{"*/read"}, nil, nil),
		role("f58310d9-a9f6-439a-9e8d-f62e7b41a168", "Role Based Access Control Administrator",
			"Manage access to Azure resources by assigning roles using Azure RBAC. This role does not allow you to manage access using other ways, such as Azure Policy.",
			[]string{"Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete", "*/read", "Microsoft.Support/*"}, nil, nil),
		role("fb1c8493-542b-48eb-b624-b4c8fea62acd", "Security Admin", "Security Admin Role", []string{
			"Microsoft.Authorization/*/read", "Microsoft.Authorization/policyAssignments/*", "Microsoft.Authorization/policyDefinitions/*",
			"Microsoft.Authorization/policyExemptions/*", "Microsoft.Authorization/policySetDefinitions/*", "Microsoft.Insights/alertRules/*",
			"Microsoft.Management/managementGroups/read", "Microsoft.OperationalInsights/workspaces/*/read", "Microsoft.Resources/deployments/*",
			"Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Security/*", "Microsoft.IoTSecurity/*", "Microsoft.Support/*",
		}, nil, nil),
		role("39bc4728-0917-49c7-9d2c-d95423bc2eb4", "Security Reader", "Security Reader Role", []string{
			"Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/read", "Microsoft.OperationalInsights/workspaces/*/read",
			"Microsoft.Resources/deployments/*/read", "Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Security/*/read",
			"Microsoft.IoTSecurity/*/read", "Microsoft.Support/*/read", "Microsoft.Management/managementGroups/read",
		}, nil, nil),
		role("4a9ae827-6dc8-4573-8ac7-8239d42aa03f", "Tag Contributor", "Lets you manage tags on entities, without providing access to the entities themselves.", []string{
			"Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/*", "Microsoft.Resources/subscriptions/resourceGroups/read",
			"Microsoft.Resources/subscriptions/resourceGroups/resources/read", "Microsoft.Resources/subscriptions/resources/read",
			"Microsoft.Resources/deployments/*", "Microsoft.Support/*", "Microsoft.Resources/tags/*",
		}, nil, nil),
		role(UserAccessAdministratorID, "User Access Administrator", "Lets you manage user access to Azure resources.",
			[]string{"*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"}, nil, nil),
		role("2cc479cb-7b4d-49a8-b449-8c00fd0f0a4b", "Web Plan Contributor", "Lets you manage the web plans for websites, but not access to them.",
			append([]string{"Microsoft.Web/serverFarms/*", "Microsoft.Web/hostingEnvironments/Join/Action"}, withHealth...), nil, nil),
		role("de139f84-1756-47ae-9be6-808fbbe84772", "Website Contributor", "Lets you manage websites (not web plans), but not access to them.",
			append([]string{
				"Microsoft.Insights/components/*", "Microsoft.Web/certificates/*", "Microsoft.Web/listSitesAssignedToHostName/read",
				"Microsoft.Web/serverFarms/join/action", "Microsoft.Web/serverFarms/read", "Microsoft.Web/sites/*",
			}, withHealth...), nil, nil),
	}
}

// cosmosKeys is what Cosmos DB Operator excepts: every way to the data.
func cosmosKeys() []string {
	out := []string{"copyJobs/*", "dataTransferJobs/*", "readonlyKeys/*", "regenerateKey/*", "listKeys/*", "listConnectionStrings/*"}
	for _, noun := range []string{
		"sqlRoleDefinitions", "sqlRoleAssignments", "mongodbRoleDefinitions", "mongodbUserDefinitions", "tableRoleAssignments", "tableRoleDefinitions",
		"gremlinRoleAssignments", "gremlinRoleDefinitions", "cassandraRoleAssignments", "cassandraRoleDefinitions", "mongoMIRoleAssignments", "mongoMIRoleDefinitions",
	} {
		out = append(out, noun+"/write", noun+"/delete")
	}
	for i := range out {
		out[i] = "Microsoft.DocumentDB/databaseAccounts/" + out[i]
	}
	return out
}

// some keeps lists from being null on the wire.
func some(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func join3(a, b, c []string) []string {
	return append(append(append([]string{}, a...), b...), c...)
}
