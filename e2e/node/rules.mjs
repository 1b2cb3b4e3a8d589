// Patches, batches and bulk operations with @azure/cosmos, printed as JSON; where everything is comes from the environment.
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_MODULES + "/");
const { CosmosClient } = require("@azure/cosmos");

const client = new CosmosClient({ endpoint: process.env.ENDPOINT, key: process.env.KEY });
const { database } = await client.databases.createIfNotExists({ id: "shop" });
const { container } = await database.containers.createIfNotExists({
  id: "orders", partitionKey: { paths: ["/customer"] }, defaultTtl: -1, uniqueKeyPolicy: { uniqueKeys: [{ paths: ["/number"] }] },
});
const status = (f) => f.then((r) => r.statusCode, (e) => e.code);

await container.items.create({ id: "1", customer: "ada", number: 1, total: 12 });
const patched = await container.item("1", "ada").patch([{ op: "incr", path: "/total", value: 3 }, { op: "add", path: "/tags", value: ["new"] }]);
const conditional = await status(container.item("1", "ada").patch({ condition: "from c where c.total = 12", operations: [{ op: "set", path: "/total", value: 0 }] }));
const conflict = await status(container.items.create({ id: "2", customer: "ada", number: 1 }));

const batch = await container.items.batch([
  { operationType: "Create", resourceBody: { id: "2", customer: "ada", number: 2 } },
  { operationType: "Patch", id: "2", resourceBody: { operations: [{ op: "set", path: "/total", value: 7 }] } },
  { operationType: "Read", id: "2" },
], "ada");
const failed = await container.items.batch([
  { operationType: "Create", resourceBody: { id: "3", customer: "ada", number: 3 } },
  { operationType: "Create", resourceBody: { id: "4", customer: "ada", number: 3 } },
], "ada");
const gone = await status(container.item("3", "ada").read());

const operations = [];
for (let i = 0; i < 90; i++) {
  operations.push({ operationType: "Upsert", partitionKey: "c" + (i % 7), resourceBody: { id: "b" + i, customer: "c" + (i % 7), number: i } });
}
operations.push({ operationType: "Create", partitionKey: "ada", resourceBody: { id: "1", customer: "ada", number: 9 } });
operations.push({ operationType: "Patch", partitionKey: "ada", id: "1", resourceBody: { operations: [{ op: "incr", path: "/total", value: 1 }] } });
operations.push({ operationType: "Delete", partitionKey: "ada", id: "2" });
const bulk = await container.items.bulk(operations, { continueOnError: true });
const more = [];
for (let i = 0; i < 250; i++) {
  more.push({ operationType: "Create", partitionKey: "c" + (i % 7), resourceBody: { id: "e" + i, customer: "c" + (i % 7), number: 1000 + (i % 245) } });
}
const executed = await container.items.executeBulkOperations(more);
const count = (await container.items.query("SELECT VALUE c.id FROM c", { enableCrossPartitionQuery: true }).fetchAll()).resources.length;
await database.delete();
console.log(
  JSON.stringify({
    total: patched.resource.total, tags: patched.resource.tags, conditional, conflict,
    batch: batch.result.map((r) => r.statusCode), read: batch.result[2].resourceBody.total, failedCode: failed.code,
    failed: failed.result.map((r) => r.statusCode), gone,
    bulk: bulk.slice(-4).map((r) => r.statusCode), created: bulk.filter((r) => r.statusCode === 201).length, count,
    executed: executed.filter((r) => r.response?.statusCode === 201).length, refused: executed.filter((r) => r.error?.code === 409).length,
  }),
);
