// Goes through the alerts of a resource group with @azure/arm-security and prints what was seen as JSON.
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_MODULES + "/");
const { SecurityCenter } = require("@azure/arm-security");
const { ClientSecretCredential } = require("@azure/identity");

const { ARM, AUTHORITY, CLIENT_ID, CLIENT_SECRET, GROUP, SUBSCRIPTION, TENANT_ID } = process.env;
const credential = new ClientSecretCredential(TENANT_ID, CLIENT_ID, CLIENT_SECRET, AUTHORITY ? { authorityHost: AUTHORITY, disableInstanceDiscovery: true } : {});
const scopes = [ARM + "/.default"];
const center = new SecurityCenter(credential, SUBSCRIPTION, { retryOptions: { maxRetries: 0 }, ...(AUTHORITY ? { endpoint: ARM, credentialScopes: scopes, credentials: { scopes } } : {}) });
const place = "westeurope", seen = {};
const list = async (pages) => {
  const out = [];
  for await (const one of pages) out.push(one);
  return out;
};
const status = (call) => call.then(() => "succeeded", (e) => e.statusCode ?? String(e));

const found = await list(center.alerts.listByResourceGroup(GROUP));
seen.enough = found.length >= 14;
seen.sameByRegion = (await list(center.alerts.listResourceGroupLevelByRegion(place, GROUP))).length === found.length;
seen.inSubscription = (await list(center.alerts.list())).length >= found.length && (await list(center.alerts.listSubscriptionLevelByRegion(place))).length >= found.length;
const { name } = found.find((a) => a.alertType === "VM_SuspectDownload");
const one = await center.alerts.getResourceGroupLevel(place, name, GROUP);
seen.alert = [one.severity, one.intent, one.alertDisplayName.startsWith("Detected file download from a known malicious source"), one.startTimeUtc.getUTCFullYear(), one.isIncident];
seen.about = one.resourceIdentifiers[0].type + " " + one.resourceIdentifiers[0].azureResourceId.includes("/Microsoft.HybridCompute/machines/");
seen.domain = one.entities.some((e) => e.type === "dns" && e.domainName === "nasapaul.com");
seen.states = [];
const now = async () => seen.states.push((await center.alerts.getSubscriptionLevel(place, name)).status);
await center.alerts.updateResourceGroupLevelStateToDismiss(place, name, GROUP);
await now();
await center.alerts.updateSubscriptionLevelStateToResolve(place, name);
await now();
await center.alerts.updateResourceGroupLevelStateToActivate(place, name, GROUP);
await now();
seen.none = await status(center.alerts.getSubscriptionLevel(place, "2518770965529163669_none"));

const rules = center.alertsSuppressionRules, rule = "node";
const put = await rules.update(rule, { alertType: "*", reason: "Other", state: "Disabled", suppressionAlertsScope: { allOf: [{ field: "entities.ip.address", in: ["192.0.2.1"] }] } });
seen.rule = [put.name, put.state, put.suppressionAlertsScope.allOf[0].in, put.lastModifiedUtc instanceof Date];
seen.rules = (await list(rules.list())).map((r) => r.name);
seen.ofType = (await list(rules.list({ alertType: "VM_Other" }))).length;
await rules.delete(rule);
seen.noRule = await status(rules.get(rule));

await center.alerts.simulate(place, { properties: { kind: "Bundles", bundles: ["DNS"] } });
seen.sample = (await list(center.alerts.list())).some((a) => a.alertType === "AzureDNS_ThreatIntelSuspectDomain" && a.extendedProperties.simulated === "true");

console.log(JSON.stringify({ value: JSON.stringify(seen) }));
