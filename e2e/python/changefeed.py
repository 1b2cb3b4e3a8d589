"""Follows a change feed with azure-cosmos while ranges of the container are split and merged, and prints what it saw as JSON; where everything is comes
from the environment. SPLIT is the command that splits a range whose id is its last word, MERGE one that merges the two whose ids are its last words."""

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


def run(what, *idents):
    out = subprocess.run([*json.loads(os.environ[what]), *idents], check=True, stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"]})
    return json.loads(out.stdout)["ranges"]


def sums(ids):
    return [len(ids), len(set(ids))]


seen, fresh, one = [], [], []
write(0, 40)
at = follow(seen, start_time="Beginning")
first = len(seen)
now = follow(fresh, start_time="Now")
write(40, 50)
ranges = run("SPLIT", "0")
write(50, 80)
at = follow(seen, continuation=at)
now = follow(fresh, continuation=now)
follow(one, start_time="Beginning", partition_key="k7")
feed_ranges = len(list(container.read_feed_ranges()))
per_range = []
for feed_range in container.read_feed_ranges():
    follow(per_range, start_time="Beginning", feed_range=feed_range)
every = [d["id"] for d in container.query_items("SELECT * FROM c", enable_cross_partition_query=True, max_item_count=9)]
# Merges: of ranges that were followed together and each by itself, and amid a query.
stands = []
for feed_range in container.read_feed_ranges():
    stands.append(follow([], start_time="Beginning", feed_range=feed_range))
pages = container.query_items("SELECT * FROM c", enable_cross_partition_query=True, max_item_count=9).by_page()
queried = [d["id"] for d in next(pages)] + [d["id"] for d in next(pages)]
ranges = run("MERGE", ranges[0]["id"], ranges[1]["id"])
write(80, 100)
follow(seen, continuation=at)
follow(fresh, continuation=now)
each = []
for stand in stands:
    follow(each, continuation=stand)
for page in pages:
    queried += [d["id"] for d in page]
container.upsert_item({"id": "7", "pk": "k7", "again": True})
after = {"seen": sums(seen), "fresh": sums(fresh), "each": sums(each), "queried": len(queried) - len(set(queried)), "all": set(map(str, range(80))) <= set(queried),
         "ranges": len(ranges), "again": container.read_item("7", "k7")["again"]}
print(json.dumps({"after": after, "first": first, "one": one, "ranges": feed_ranges, "perRange": sums(per_range), "all": sums(every)}))
