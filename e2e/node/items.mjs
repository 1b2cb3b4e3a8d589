// Writes, reads, replaces, queries and deletes items with @azure/cosmos and prints what it saw as JSON; where everything is comes from the environment.
import { createRequire } from "node:module";

// The packages are installed outside the source tree; NODE_MODULES says where.
const require = createRequire(process.env.NODE_MODULES + "/");
const { CosmosClient } = require("@azure/cosmos");

const client = new CosmosClient({ endpoint: process.env.ENDPOINT, key: process.env.KEY });
const { database } = await client.databases.createIfNotExists({ id: "shop" });
const { container } = await database.containers.createIfNotExists({ id: "orders", partitionKey: { paths: ["/customer"] } });

const created = await container.items.create({ id: "1", customer: "ada", total: 12 });
await container.items.create({ id: "2", customer: "ada", total: 30 });
const read = await container.item("1", "ada").read();
const replaced = await container.item("1", "ada").replace({ ...read.resource, total: 13 });
const { resources } = await container.items
  .query({ query: "SELECT VALUE c.total FROM c WHERE c.customer = @c ORDER BY c.total", parameters: [{ name: "@c", value: "ada" }] }, { partitionKey: "ada" })
  .fetchAll();
const deleted = await container.item("1", "ada").delete();
const gone = await container.item("1", "ada").read();
await database.delete();
console.log(
  JSON.stringify({
    created: created.statusCode, read: read.resource.total, replaced: replaced.statusCode, totals: resources,
    deleted: deleted.statusCode, gone: gone.statusCode, proxies: Object.keys(process.env).filter((n) => /_proxy$/i.test(n)),
  }),
);
