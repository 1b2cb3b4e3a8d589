// The quick start of @azure/cosmos against the emulator: database, container, upsert, read, query, delete. Prints what it saw as JSON.
import { createRequire } from "node:module";
import https from "node:https";

// The packages are installed outside the source tree; NODE_MODULES says where.
const require = createRequire(process.env.NODE_MODULES + "/");
const { CosmosClient } = require("@azure/cosmos");

const { ENDPOINT: endpoint, KEY: key, DATABASE: name, VERIFY: verify, BY: by } = process.env;
let client;
if (by === "connection string") {
  // As the emulator's documentation has it, NODE_TLS_REJECT_UNAUTHORIZED=0 is in the environment where nothing is verified.
  client = new CosmosClient(`AccountEndpoint=${endpoint};AccountKey=${key};`);
} else if (verify === "true") {
  client = new CosmosClient({ endpoint, key }); // by the authority in NODE_EXTRA_CA_CERTS
} else {
  client = new CosmosClient({ endpoint, key, agent: new https.Agent({ rejectUnauthorized: false }) });
}

const seen = {};
const { database } = await client.databases.createIfNotExists({ id: name });
const { container } = await database.containers.createIfNotExists({ id: "products", partitionKey: { paths: ["/category"] }, throughput: 400 });
seen.database = (await database.read()).resource.id;
seen.container = (await container.read()).resource.id;

const item = { id: "70b63682-b93a-4c77-aad2-65501347265f", category: "gear-surf-surfboards", name: "Yamba Surfboard", quantity: 12, price: 850.0, clearance: false };
seen.created = (await container.items.upsert(item)).resource.name;
seen.replaced = (await container.items.upsert({ ...item, quantity: 14 })).resource.quantity;
await container.items.upsert({ id: "25a68543-b90c-439d-8332-7ef41e06a0e0", category: "gear-surf-surfboards", name: "Kiama Classic Surfboard", quantity: 9 });
seen.read = (await container.item(item.id, item.category).read()).resource.quantity;

const { resources } = await container.items
  .query({ query: "SELECT * FROM products p WHERE p.category = @category ORDER BY p.name", parameters: [{ name: "@category", value: "gear-surf-surfboards" }] })
  .fetchAll();
seen.query = resources.map((r) => r.name);

await container.item(item.id, item.category).delete();
seen.gone = (await container.item(item.id, item.category).read()).statusCode;
await database.delete();
seen.left = (await client.databases.readAll().fetchAll()).resources.map((d) => d.id).filter((id) => id === name);
console.log(JSON.stringify(seen));
