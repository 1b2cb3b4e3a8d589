"""What one credential may do with azure-cosmos, printed as JSON: KEY, a key of the account, or else whatever DefaultAzureCredential finds."""

import json
import os

from azure.cosmos import CosmosClient, exceptions
from azure.identity import DefaultAzureCredential

client = CosmosClient(os.environ["ENDPOINT"], os.environ.get("KEY") or DefaultAzureCredential())
container = client.get_database_client("d").get_container_client("c")


def status(call):
    try:
        result = call()
        return len(list(result)) if hasattr(result, "by_page") else 200
    except exceptions.CosmosHttpResponseError as e:
        return e.status_code


print(
    json.dumps(
        {
            "read": status(lambda: container.read_item("1", "p")),
            "query": status(lambda: container.query_items("SELECT * FROM c", partition_key="p")),
            "feed": status(lambda: container.read_all_items()),
            "upsert": status(lambda: container.upsert_item({"id": "1", "pk": "p"})),
            "patch": status(lambda: container.patch_item("1", "p", [{"op": "set", "path": "/n", "value": 1}])),
            "delete": status(lambda: container.delete_item("none", "p")),
            "container": status(lambda: container.read()),
            "database": status(lambda: client.create_database("more")),
            "throughput": status(lambda: container.get_throughput()),
        }
    )
)
