// Goes once through groups, resources, vaults, identities and roles with @azure/arm-* and prints what was seen as JSON: the same as python/controlplane.py.
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_MODULES + "/");
const { AuthorizationManagementClient } = require("@azure/arm-authorization");
const { KeyVaultManagementClient } = require("@azure/arm-keyvault");
const { ManagedServiceIdentityClient } = require("@azure/arm-msi");
const { ResourceManagementClient } = require("@azure/arm-resources");
const { ClientSecretCredential } = require("@azure/identity");

const { ARM, AUTHORITY, CLIENT_ID, CLIENT_SECRET, PREFIX, PRINCIPAL, SUBSCRIPTION, TENANT_ID } = process.env;
const credential = new ClientSecretCredential(TENANT_ID, CLIENT_ID, CLIENT_SECRET, AUTHORITY ? { authorityHost: AUTHORITY, disableInstanceDiscovery: true } : {});
// A cloud of one's own: every client takes its endpoint and what to ask tokens for, the newer ones as credentials.scopes.
const scopes = [ARM + "/.default"];
const arm = { retryOptions: { maxRetries: 0 }, ...(AUTHORITY ? { endpoint: ARM, credentialScopes: scopes, credentials: { scopes } } : {}) };
const poll = { updateIntervalInMs: 200 };
const place = "westeurope", group = PREFIX + "-rg", vault = PREFIX + "-kv", name = PREFIX + "-id";
const seen = {};
const list = async (pages) => {
  const out = [];
  for await (const one of pages) out.push(one);
  return out;
};
const own = async (pages) => (await list(pages)).map((i) => i.name).filter((n) => n.startsWith(PREFIX)).sort();
const status = (call) => call.then(() => "succeeded", (e) => e.statusCode ?? String(e));

const resources = new ResourceManagementClient(credential, SUBSCRIPTION, arm);
const groups = resources.resourceGroups;
await groups.createOrUpdate(group, { location: place, tags: { team: "red" } });
await groups.update(group, { tags: { team: "blue" } });
const got = await groups.get(group);
seen.group = [got.location, got.tags.team, got.properties.provisioningState];
seen.groups = await own(groups.list());
seen.groupsOfTag = await own(groups.list({ filter: "tagName eq 'team' and tagValue eq 'blue'" }));
const provider = await resources.providers.get("Microsoft.KeyVault");
seen.provider = [provider.registrationState, provider.resourceTypes.some((t) => t.resourceType === "vaults")];

const vaults = new KeyVaultManagementClient(credential, SUBSCRIPTION, arm).vaults;
const properties = { tenantId: TENANT_ID, sku: { family: "A", name: "standard" }, accessPolicies: [] };
const made = await vaults.createOrUpdate(group, vault, { location: place, tags: { of: PREFIX }, properties }, poll);
seen.vault = [made.properties.vaultUri, (await vaults.get(group, vault)).properties.enableSoftDelete];
seen.vaults = [await own(vaults.listByResourceGroup(group)), await own(vaults.listBySubscription())];
const accessPolicies = [{ tenantId: TENANT_ID, objectId: PRINCIPAL, permissions: { secrets: ["get", "list"] } }];
await vaults.updateAccessPolicy(group, vault, "add", { properties: { accessPolicies } });

const identities = new ManagedServiceIdentityClient(credential, SUBSCRIPTION, arm);
const users = identities.userAssignedIdentities;
const identity = await users.createOrUpdate(group, name, { location: place });
seen.identity = [(await users.get(group, name)).clientId === identity.clientId, identity.tenantId === TENANT_ID, await own(users.listByResourceGroup(group))];
const federated = identities.federatedIdentityCredentials;
await federated.createOrUpdate(group, name, "fic", { issuer: "https://issuer.contoso.com", subject: "repo:a", audiences: ["api://AzureADTokenExchange"] });
seen.federated = (await list(federated.list(group, name))).map((f) => [f.name, f.subject, f.audiences[0]]);
await federated.delete(group, name, "fic");
seen.noFederated = await status(federated.get(group, name, "fic"));

const generic = resources.resources;
seen.resource = (await generic.getById(made.id, "2022-07-01")).type;
seen.resources = await own(generic.listByResourceGroup(group));
seen.resourcesOfType = await own(generic.list({ filter: "resourceType eq 'Microsoft.ManagedIdentity/userAssignedIdentities'" }));
seen.resourcesOfTag = await own(generic.list({ filter: `tagName eq 'of' and tagValue eq '${PREFIX}'` }));

const { roleDefinitions: roles, roleAssignments: assignments } = new AuthorizationManagementClient(credential, SUBSCRIPTION, arm);
const scope = got.id;
seen.reader = (await list(roles.list(scope, { filter: "roleName eq 'Reader'" }))).map((r) => r.name);
const permissions = [{ actions: ["Microsoft.KeyVault/vaults/read"], notActions: [] }];
const custom = await roles.createOrUpdate(scope, randomUUID(), { roleName: PREFIX + " role", roleType: "CustomRole", assignableScopes: [scope], permissions });
const read = await roles.get(scope, custom.name);
seen.custom = [read.roleName, read.roleType, read.permissions[0].actions, read.assignableScopes.join() === scope];
const assigned = await assignments.create(scope, randomUUID(), {
  roleDefinitionId: custom.id, principalId: identity.principalId, principalType: "ServicePrincipal",
});
const ofIdentity = async () => (await list(assignments.listForScope(scope, { filter: `principalId eq '${identity.principalId}'` }))).map((a) => a.id);
seen.assigned = (await ofIdentity()).join() === assigned.id;
seen.customInUse = await status(roles.delete(scope, custom.name));
await assignments.delete(scope, assigned.name);
seen.unassigned = await ofIdentity();
seen.customUnused = await status(roles.delete(scope, custom.name));

await users.delete(group, name);
seen.noIdentity = await status(users.get(group, name));
await vaults.delete(group, vault);
seen.noVault = await status(vaults.get(group, vault));
seen.deleted = await own(vaults.listDeleted());
await vaults.createOrUpdate(group, vault, { location: place, properties: { ...properties, createMode: "recover" } }, poll);
const kept = (await vaults.get(group, vault)).properties.accessPolicies;
seen.recovered = kept.map((p) => [p.objectId === PRINCIPAL, p.permissions.secrets.sort()]);
await vaults.delete(group, vault);
await vaults.purgeDeleted(vault, place, poll);
seen.purged = await status(vaults.getDeleted(vault, place));
await groups.delete(group, poll);
seen.noGroup = await status(groups.get(group));
console.log(JSON.stringify({ value: JSON.stringify(seen) }));
