"""Resource tokens and tokens of Entra ID with azure-cosmos, printed as JSON; where everything is comes from the environment."""

import json
import os

from azure.cosmos import CosmosClient, PartitionKey, exceptions
from azure.identity import ClientSecretCredential

endpoint = os.environ["ENDPOINT"]
client = CosmosClient(endpoint, os.environ["KEY"])
database = client.create_database("shop")
container = database.create_container("orders", PartitionKey("/customer"))
container.create_item({"id": "1", "customer": "ada"})
container.create_item({"id": "1", "customer": "bob"})
user = database.create_user({"id": "till"})
link = "dbs/shop/colls/orders"
reads = user.create_permission({"id": "reads", "permissionMode": "Read", "resource": link})
ada = user.create_permission({"id": "ada", "permissionMode": "All", "resource": link, "resourcePartitionKey": ["ada"]})
short = user.get_permission("reads")


def status(call):
    try:
        result = call()
        return len(list(result)) if hasattr(result, "__next__") or hasattr(result, "by_page") else 200
    except exceptions.CosmosHttpResponseError as e:
        return e.status_code


def work(credential):
    c = CosmosClient(endpoint, credential).get_database_client("shop").get_container_client("orders")
    return [
        status(lambda: c.read_item("1", "ada")),
        status(lambda: c.read_item("1", "bob")),
        status(lambda: c.query_items("SELECT * FROM c", partition_key="ada")),
        status(lambda: c.upsert_item({"id": "2", "customer": "ada"})),
        status(lambda: c.create_item({"id": "3", "customer": "bob"})),
    ]


def token(p):
    return {link: p.properties["_token"]}


out = {"permissions": [p["id"] for p in user.list_permissions()], "read": work(token(reads)), "key": work(token(ada)), "again": work(token(short))}
user.delete_permission("ada")
out["gone"] = status(lambda: CosmosClient(endpoint, token(ada)).get_database_client("shop").get_container_client("orders").read_item("1", "ada"))
out["aad"] = work(ClientSecretCredential(os.environ["TENANT"], os.environ["APP"], os.environ["SECRET"], **json.loads(os.environ.get("AUTHORITY", "{}"))))
print(json.dumps(out))
