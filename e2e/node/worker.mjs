// What one credential may do with @azure/cosmos, printed as JSON: KEY, a key of the account, or else whatever DefaultAzureCredential finds.
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_MODULES + "/");
const { CosmosClient } = require("@azure/cosmos");
const { DefaultAzureCredential } = require("@azure/identity");

const { ENDPOINT: endpoint, KEY: key } = process.env;
const client = new CosmosClient(key ? { endpoint, key } : { endpoint, aadCredentials: new DefaultAzureCredential() });

const container = client.database("d").container("c");
const code = async (fn) => {
  try {
    const r = await fn();
    return r.resources?.length ?? (r.statusCode < 300 ? 200 : r.statusCode);
  } catch (e) {
    return e.code ?? String(e);
  }
};

console.log(
  JSON.stringify({
    read: await code(() => container.item("1", "p").read()),
    query: await code(() => container.items.query("SELECT * FROM c", { partitionKey: "p" }).fetchAll()),
    feed: await code(() => container.items.readAll().fetchAll()),
    upsert: await code(() => container.items.upsert({ id: "1", pk: "p" })),
    patch: await code(() => container.item("1", "p").patch([{ op: "set", path: "/n", value: 1 }])),
    delete: await code(() => container.item("none", "p").delete()),
    container: await code(() => container.read()),
    database: await code(() => client.databases.create({ id: "more" })),
    throughput: await code(() => container.readOffer()),
  }),
);
