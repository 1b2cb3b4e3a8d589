"""Follows a change feed with azure-cosmos while a range of the container is split, and prints what it saw as JSON; where everything is comes
from the environment. SPLIT is the command that splits a range whose id is its last word."""

import json
import os
import subprocess

from azure.cosmos import CosmosClient, PartitionKey

client = CosmosClient(os.environ["ENDPOINT"], os.environ["KEY"])
database = client.create_database_if_not_exists("feeds")
container = database.create_container("python", PartitionKey("/pk"), offer_throughput=11000)


def write(first, last):
    for i in range(first, last):
        container.create_item({"id": str(i), "pk": f"k{i}"})


def follow(into, **options):
    """Reads until there is nothing new, and gives where it then stands."""
    while True:
        page = [int(d["id"]) for d in container.query_items_change_feed(max_item_count=7, **options)]
        into.extend(page)
        options = {"continuation": container.client_connection.last_response_headers["etag"]}
        if not page:
            return options["continuation"]


def split(ident):
    subprocess.run([*json.loads(os.environ["SPLIT"]), ident], check=True, stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})


def sums(ids):
    return [len(ids), len(set(ids))]


seen, fresh, one = [], [], []
write(0, 40)
at = follow(seen, start_time="Beginning")
first = len(seen)
now = follow(fresh, start_time="Now")
write(40, 50)
split("0")
write(50, 80)
follow(seen, continuation=at)
follow(fresh, continuation=now)
follow(one, start_time="Beginning", partition_key="k7")
ranges = len(list(container.read_feed_ranges()))
per_range = []
for feed_range in container.read_feed_ranges():
    follow(per_range, start_time="Beginning", feed_range=feed_range)
every = [d["id"] for d in container.query_items("SELECT * FROM c", enable_cross_partition_query=True, max_item_count=9)]
print(json.dumps({"first": first, "seen": sums(seen), "fresh": sums(fresh), "one": one, "ranges": ranges, "perRange": sums(per_range), "all": sums(every)}))
