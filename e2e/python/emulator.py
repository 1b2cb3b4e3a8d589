"""The quick start of azure-cosmos against the emulator: database, container, upsert, read, query, delete. Prints what it saw as JSON."""

import json
import os
import warnings

from azure.cosmos import CosmosClient, PartitionKey, exceptions

endpoint, key, name = os.environ["ENDPOINT"], os.environ["KEY"], os.environ["DATABASE"]
# The emulator's certificate: not verified, as its documentation has it, or by the authority in REQUESTS_CA_BUNDLE.
verify = os.environ["VERIFY"] == "true"
if not verify:
    warnings.simplefilter("ignore")
options = {} if verify else {"connection_verify": False}
if os.environ["BY"] == "connection string":
    client = CosmosClient.from_connection_string(f"AccountEndpoint={endpoint};AccountKey={key};", **options)
else:
    client = CosmosClient(url=endpoint, credential=key, **options)

seen = {}
database = client.create_database_if_not_exists(id=name)
container = database.create_container_if_not_exists(id="products", partition_key=PartitionKey(path="/category"), offer_throughput=400)
seen["database"], seen["container"] = database.id, container.id

new_item = {"id": "70b63682-b93a-4c77-aad2-65501347265f", "category": "gear-surf-surfboards", "name": "Yamba Surfboard", "quantity": 12, "price": 850.00, "clearance": False}
seen["created"] = container.upsert_item(new_item)["name"]
seen["replaced"] = container.upsert_item({**new_item, "quantity": 14})["quantity"]
container.upsert_item({"id": "25a68543-b90c-439d-8332-7ef41e06a0e0", "category": "gear-surf-surfboards", "name": "Kiama Classic Surfboard", "quantity": 9})
seen["read"] = container.read_item(item=new_item["id"], partition_key=new_item["category"])["quantity"]

items = container.query_items(
    query="SELECT * FROM products p WHERE p.category = @category ORDER BY p.name",
    parameters=[{"name": "@category", "value": "gear-surf-surfboards"}],
    enable_cross_partition_query=False,
    partition_key="gear-surf-surfboards",
)
seen["query"] = [item["name"] for item in items]

container.delete_item(item=new_item["id"], partition_key=new_item["category"])
try:
    container.read_item(item=new_item["id"], partition_key=new_item["category"])
except exceptions.CosmosResourceNotFoundError as e:
    seen["gone"] = e.status_code
client.delete_database(name)
seen["left"] = [d["id"] for d in client.list_databases() if d["id"] == name]
print(json.dumps(seen))
