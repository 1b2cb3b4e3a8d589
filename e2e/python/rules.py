"""Patches and batches with azure-cosmos, printed as JSON; where everything is comes from the environment."""

import json
import os

from azure.cosmos import CosmosClient, PartitionKey, exceptions

client = CosmosClient(os.environ["ENDPOINT"], os.environ["KEY"])
database = client.create_database("shop")
container = database.create_container(
    "orders", PartitionKey("/customer"), default_ttl=-1, unique_key_policy={"uniqueKeys": [{"paths": ["/number"]}]}
)


def status(call):
    try:
        call()
    except exceptions.CosmosHttpResponseError as e:
        return e.status_code
    return 200


container.create_item({"id": "1", "customer": "ada", "number": 1, "total": 12})
patched = container.patch_item("1", "ada", [{"op": "incr", "path": "/total", "value": 3}])
conditional = status(lambda: container.patch_item("1", "ada", [{"op": "set", "path": "/total", "value": 0}], filter_predicate="from c where c.total = 12"))
conflict = status(lambda: container.create_item({"id": "2", "customer": "ada", "number": 1}))
batch = container.execute_item_batch(
    [
        ("create", ({"id": "2", "customer": "ada", "number": 2},)),
        ("replace", ("1", {"id": "1", "customer": "ada", "number": 1, "total": 16}), {"if_match_etag": patched["_etag"]}),
        ("patch", ("1", [{"op": "incr", "path": "/total", "value": 1}]), {"filter_predicate": "from c where c.total = 16"}),
        ("read", ("1",)),
        ("delete", ("2",)),
    ],
    partition_key="ada",
)
failed, at = [], None
try:
    container.execute_item_batch(
        [("create", ({"id": "3", "customer": "ada", "number": 3},)), ("upsert", ({"id": "4", "customer": "ada", "number": 1},))], partition_key="ada"
    )
except exceptions.CosmosBatchOperationError as e:
    failed, at = [r["statusCode"] for r in e.operation_responses], e.error_index
old = container.get_throughput()
container.replace_throughput(900)
print(
    json.dumps(
        {
            "total": patched["total"], "conditional": conditional, "conflict": conflict, "batch": [r["statusCode"] for r in batch],
            "read": batch[3]["resourceBody"]["total"], "failed": failed, "at": at,
            "gone": status(lambda: container.read_item("3", "ada")), "throughput": [old.offer_throughput, container.get_throughput().offer_throughput],
        }
    )
)
