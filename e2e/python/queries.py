"""Puts items into a new container and asks queries with azure-cosmos; prints each one's rows, or its error, as JSON. What is asked comes from the environment."""

import json
import os

from azure.cosmos import CosmosClient, PartitionKey, ThroughputProperties
from azure.cosmos.exceptions import CosmosHttpResponseError

work = json.loads(os.environ["WORK"])
client = CosmosClient(os.environ["ENDPOINT"], os.environ["KEY"])
database = client.create_database_if_not_exists(work["name"])
definition = work["container"]
container = database.create_container_if_not_exists(
    definition["id"],
    PartitionKey(path=definition["partitionKey"]["paths"][0]),
    indexing_policy=definition["indexingPolicy"],
    offer_throughput=ThroughputProperties(offer_throughput=definition["throughput"]),
)
for item in work["items"]:
    container.create_item(item)

answers = []
for q in work["queries"]:
    try:
        rows = container.query_items(q["query"], parameters=q["parameters"], enable_cross_partition_query=True, max_item_count=7)
        answers.append({"rows": list(rows)})
    except CosmosHttpResponseError as e:
        answers.append({"error": e.message, "code": e.status_code})

seen = {}
rows = list(
    container.query_items(
        "SELECT * FROM c WHERE c.v > 20",
        partition_key="p1",
        populate_query_metrics=True,
        populate_index_metrics=True,
        response_hook=lambda headers, _: seen.update({name.lower(): value for name, value in headers.items()}),
    )
)
metrics = {"rows": len(rows), "query": seen.get("x-ms-documentdb-query-metrics"), "index": seen.get("x-ms-cosmos-index-utilization")}
print(json.dumps({"answers": answers, "metrics": metrics}))
