// Stored procedures, triggers and user-defined functions with @azure/cosmos, printed as JSON; where everything is comes from the environment.
import { createRequire } from "node:module";
import { Agent } from "node:https";

const require = createRequire(process.env.NODE_MODULES + "/");
const { CosmosClient } = require("@azure/cosmos");

const lookup = (_, options, done) => (options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4));
const client = new CosmosClient({ endpoint: process.env.ENDPOINT, key: process.env.KEY, agent: new Agent({ lookup }) });
const { database } = await client.databases.createIfNotExists({ id: "scripts" });
const { container } = await database.containers.create({ id: "node", partitionKey: { paths: ["/pk"] } });
const s = container.scripts;
const failed = (f) => f.then((r) => r.statusCode, (e) => [e.code, e.substatus]);

await s.storedProcedures.create({ id: "hello", body: function (who) { console.log("asked by %s", who); getContext().getResponse().setBody("Hello, " + who); } });
const hello = await s.storedProcedure("hello").execute("a", ["Ada"], { enableScriptLogging: true });

// The samples' bulk import: what was not accepted is sent again.
await s.storedProcedures.create({
  id: "bulk",
  body: function (docs) {
    const c = getContext().getCollection();
    let count = 0;
    function create() {
      if (!c.createDocument(c.getSelfLink(), docs[count], done)) getContext().getResponse().setBody(count);
    }
    function done(err) {
      if (err) throw err;
      if (++count >= docs.length) getContext().getResponse().setBody(count);
      else create();
    }
    create();
  },
});
const docs = Array.from({ length: 3000 }, (_, i) => ({ id: "d" + i, pk: "a", n: i }));
let calls = 0;
for (let from = 0; from < docs.length; calls++) from += (await s.storedProcedure("bulk").execute("a", [docs.slice(from)])).resource;
const count = (await container.items.query("SELECT VALUE COUNT(1) FROM c", { partitionKey: "a" }).fetchAll()).resources;

await s.storedProcedures.create({ id: "undone", body: function () { __.createDocument(__.getSelfLink(), { id: "undone", pk: "a" }); throw new Error(499, "not so"); } });
const undone = await failed(s.storedProcedure("undone").execute("a"));
const rolledBack = (await container.item("undone", "a").read()).statusCode;

await s.storedProcedures.create({ id: "endless", body: "function () { while (true) {} }" });
const endless = await failed(s.storedProcedure("endless").execute("a"));
await s.storedProcedure("hello").replace({ id: "hello", body: "function () { getContext().getResponse().setBody(1) }" });
const replaced = (await s.storedProcedure("hello").execute("a")).resource;
const names = (await s.storedProcedures.readAll().fetchAll()).resources.map((r) => r.id);

await s.triggers.create({
  id: "upper", triggerType: "Pre", triggerOperation: "All",
  body: function () { const d = getContext().getRequest().getBody(); d.id = d.id.toUpperCase(); getContext().getRequest().setBody(d); },
});
const triggered = await container.items.create({ id: "made", pk: "a" }, { preTriggerInclude: ["upper"] });
await s.triggers.create({ id: "onDelete", triggerType: "Post", triggerOperation: "Delete", body: "function () {}" });
const wrong = await failed(container.items.create({ id: "x", pk: "a" }, { postTriggerInclude: "onDelete" }));

await s.userDefinedFunctions.create({ id: "tax", body: function (n) { return n < 2 ? 0 : n * 0.5; } });
const taxes = (await container.items.query("SELECT VALUE udf.tax(c.n) FROM c WHERE udf.tax(c.n) > 0 AND c.n < 5 ORDER BY c.n", { partitionKey: "a" }).fetchAll()).resources;
await database.delete();

console.log(JSON.stringify({
  hello: hello.resource, log: decodeURIComponent(hello.headers["x-ms-documentdb-script-log-results"]), imported: count, refused: calls > 1,
  undone, rolledBack, endless: endless[0], replaced, names, triggered: triggered.resource.id, wrong: wrong[0], taxes,
}));
