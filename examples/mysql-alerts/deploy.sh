#!/usr/bin/env bash
# deploy.sh GROUP SERVER ACTION-GROUP [ACTIVE-CONNECTIONS]: makes the rules of alerts.json with az rest, where there are no deployments.
set -euo pipefail
group=$1 server=$2 action=$3 active=${4:-240}
# Below bulkhead exec nobody has signed in yet; the secret goes from its variable to az without being on a command line.
az account show -o none 2>/dev/null ||
  az login --service-principal -u "$AZURE_CLIENT_ID" -p @<(printf %s "$AZURE_CLIENT_SECRET") --tenant "$AZURE_TENANT_ID" --only-show-errors -o none
here=$(cd "$(dirname "$0")" && pwd)
base=/subscriptions/${AZURE_SUBSCRIPTION_ID:-$(az account show --query id -o tsv)}/resourceGroups/$group/providers
python3 - "$here/alerts.json" "$base" "$server" "$action" "$active" <<'PY' | while IFS=$'\t' read -r name body; do
import json, sys
template, base, server, action, active = sys.argv[1:]
for r in json.load(open(template))["resources"]:
    p = r["properties"]
    p["scopes"] = [f"{base}/Microsoft.DBforMySQL/servers/{server}"]
    p["actions"] = [{"actionGroupId": f"{base}/Microsoft.Insights/actionGroups/{action}"}]
    for c in p["criteria"]["allOf"]:
        if isinstance(c["threshold"], str):
            c["threshold"] = int(active)
    name = server + r["name"].split("'")[-2]
    print(name, json.dumps({"location": "global", "properties": p}), sep="\t")
PY
  az rest --method put --url "$base/Microsoft.Insights/metricAlerts/$name?api-version=2018-03-01" --body "$body" --query name -o tsv
done
