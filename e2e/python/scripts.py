"""Stored procedures, triggers and user-defined functions with azure-cosmos, printed as JSON; where everything is comes from the environment."""

import json
import os

from azure.cosmos import CosmosClient, PartitionKey, exceptions

client = CosmosClient(os.environ["ENDPOINT"], os.environ["KEY"])
database = client.create_database_if_not_exists("scripts")
container = database.create_container("python", PartitionKey("/pk"))
scripts = container.scripts


def failed(f, *args, **kwargs):
    try:
        f(*args, **kwargs)
    except exceptions.CosmosHttpResponseError as e:
        return [e.status_code, e.sub_status]
    return 0


scripts.create_stored_procedure({"id": "hello", "body": "function (who) { getContext().getResponse().setBody('Hello, ' + who) }"})
hello = scripts.execute_stored_procedure("hello", partition_key="a", params=["Ada"])
scripts.create_stored_procedure({
    "id": "sum",
    "body": """function () {
        for (var i = 1; i <= 3; i++) __.createDocument(__.getSelfLink(), {id: "d" + i, pk: "a", n: i});
        __.queryDocuments(__.getSelfLink(), "SELECT VALUE SUM(c.n) FROM c", function (err, rows) { if (err) throw err; __.response.setBody(rows[0]) })
    }""",
})
total = scripts.execute_stored_procedure("sum", partition_key="a")
again = failed(scripts.execute_stored_procedure, "sum", partition_key="a")
broken = failed(scripts.create_stored_procedure, {"id": "broken", "body": "function () { return"})
scripts.create_trigger({
    "id": "stamp", "triggerType": "Pre", "triggerOperation": "Create",
    "body": "function () { var d = getContext().getRequest().getBody(); d.stamped = true; getContext().getRequest().setBody(d) }",
})
made = container.create_item({"id": "m", "pk": "a"}, pre_trigger_include="stamp")
scripts.create_user_defined_function({"id": "twice", "body": "function (n) { return n * 2 }"})
twice = list(container.query_items("SELECT VALUE udf.twice(c.n) FROM c WHERE IS_DEFINED(c.n) ORDER BY c.n", partition_key="a"))
scripts.delete_stored_procedure("hello")
gone = failed(scripts.get_stored_procedure, "hello")
left = [s["id"] for s in scripts.list_stored_procedures()]
client.delete_database("scripts")
print(json.dumps({"hello": hello, "total": total, "again": again, "broken": broken, "stamped": made["stamped"], "twice": twice, "gone": gone, "left": left}))
