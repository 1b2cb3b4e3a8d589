"""Goes once through groups, resources, vaults, identities and roles with azure-mgmt-* and prints what was seen as JSON: the same as node/controlplane.mjs."""

import json
import os
import uuid

from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.resource.resources import ResourceManagementClient

options, arm = {}, {"retry_total": 0}
if os.environ["AUTHORITY"]:  # a cloud of one's own: every client takes its endpoint and what to ask tokens for
    options = {"authority": os.environ["AUTHORITY"], "disable_instance_discovery": True}
    arm |= {"base_url": os.environ["ARM"], "credential_scopes": [os.environ["ARM"] + "/.default"]}
tenant, prefix, subscription = os.environ["TENANT_ID"], os.environ["PREFIX"], os.environ["SUBSCRIPTION"]
credential = ClientSecretCredential(tenant, os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"], **options)
place, group, vault = "westeurope", prefix + "-rg", prefix + "-kv"
seen = {}


def status(call):
    try:
        call()
        return "succeeded"
    except HttpResponseError as e:
        return e.status_code


def own(items):
    return sorted(i.name for i in items if i.name.startswith(prefix))


resources = ResourceManagementClient(credential, subscription, **arm)
groups = resources.resource_groups
groups.create_or_update(group, {"location": place, "tags": {"team": "red"}})
groups.update(group, {"tags": {"team": "blue"}})
got = groups.get(group)
seen["group"] = [got.location, got.tags["team"], got.properties.provisioning_state]
seen["groups"] = own(groups.list())
seen["groupsOfTag"] = own(groups.list(filter="tagName eq 'team' and tagValue eq 'blue'"))
provider = resources.providers.get("Microsoft.KeyVault")
seen["provider"] = [provider.registration_state, "vaults" in [t.resource_type for t in provider.resource_types]]

vaults = KeyVaultManagementClient(credential, subscription, **arm).vaults
properties = {"tenantId": tenant, "sku": {"family": "A", "name": "standard"}, "accessPolicies": []}
made = vaults.begin_create_or_update(group, vault, {"location": place, "tags": {"of": prefix}, "properties": properties}).result()
seen["vault"] = [made.properties.vault_uri, vaults.get(group, vault).properties.enable_soft_delete]
seen["vaults"] = [own(vaults.list_by_resource_group(group)), own(vaults.list_by_subscription())]
policy = {"tenantId": tenant, "objectId": os.environ["PRINCIPAL"], "permissions": {"secrets": ["get", "list"]}}
vaults.update_access_policy(group, vault, "add", {"properties": {"accessPolicies": [policy]}})

identities = ManagedServiceIdentityClient(credential, subscription, **arm)
users = identities.user_assigned_identities
identity = users.create_or_update(group, prefix + "-id", users.models.Identity(location=place))
seen["identity"] = [users.get(group, prefix + "-id").client_id == identity.client_id, identity.tenant_id == tenant, own(users.list_by_resource_group(group))]
federated = identities.federated_identity_credentials
credentials = federated.models.FederatedIdentityCredential(issuer="https://issuer.contoso.com", subject="repo:a", audiences=["api://AzureADTokenExchange"])
federated.create_or_update(group, prefix + "-id", "fic", credentials)
seen["federated"] = [[f.name, f.subject, f.audiences[0]] for f in federated.list(group, prefix + "-id")]
federated.delete(group, prefix + "-id", "fic")
seen["noFederated"] = status(lambda: federated.get(group, prefix + "-id", "fic"))

generic = resources.resources
seen["resource"] = generic.get_by_id(made.id, api_version="2022-07-01").type
seen["resources"] = own(generic.list_by_resource_group(group))
seen["resourcesOfType"] = own(generic.list(filter="resourceType eq 'Microsoft.ManagedIdentity/userAssignedIdentities'"))
seen["resourcesOfTag"] = own(generic.list(filter=f"tagName eq 'of' and tagValue eq '{prefix}'"))

authorization = AuthorizationManagementClient(credential, subscription, **arm)
roles, assignments = authorization.role_definitions, authorization.role_assignments
scope = got.id
seen["reader"] = [r.name for r in roles.list(scope, filter="roleName eq 'Reader'")]
custom = roles.create_or_update(scope, str(uuid.uuid4()), roles.models.RoleDefinition(
    role_name=prefix + " role", role_type="CustomRole", assignable_scopes=[scope],
    permissions=[roles.models.Permission(actions=["Microsoft.KeyVault/vaults/read"], not_actions=[])]))
read = roles.get(scope, custom.name)
seen["custom"] = [read.role_name, read.role_type, read.permissions[0].actions, read.assignable_scopes == [scope]]
assigned = assignments.create(scope, str(uuid.uuid4()), assignments.models.RoleAssignmentCreateParameters(
    role_definition_id=custom.id, principal_id=identity.principal_id, principal_type="ServicePrincipal"))


def of_identity():
    return [a.id for a in assignments.list_for_scope(scope, filter=f"principalId eq '{identity.principal_id}'")]


seen["assigned"] = of_identity() == [assigned.id]
seen["customInUse"] = status(lambda: roles.delete(scope, custom.name))
assignments.delete(scope, assigned.name)
seen["unassigned"] = of_identity()
seen["customUnused"] = status(lambda: roles.delete(scope, custom.name))

users.delete(group, prefix + "-id")
seen["noIdentity"] = status(lambda: users.get(group, prefix + "-id"))
vaults.delete(group, vault)
seen["noVault"] = status(lambda: vaults.get(group, vault))
seen["deleted"] = own(vaults.list_deleted())
vaults.begin_create_or_update(group, vault, {"location": place, "properties": properties | {"createMode": "recover"}}).result()
kept = vaults.get(group, vault).properties.access_policies
seen["recovered"] = [[p.object_id == os.environ["PRINCIPAL"], sorted(p.permissions.secrets)] for p in kept]
vaults.delete(group, vault)
vaults.begin_purge_deleted(vault, place).result()
seen["purged"] = status(lambda: vaults.get_deleted(vault, place))
groups.begin_delete(group).result()
seen["noGroup"] = status(lambda: groups.get(group))
print(json.dumps({"value": json.dumps(seen, sort_keys=True)}))
