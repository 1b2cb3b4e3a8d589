// Works with @azure/cosmos by resource tokens, a feed of permissions and a token of Entra ID, and prints what each may do as JSON.
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_MODULES + "/");
const { CosmosClient, PermissionMode } = require("@azure/cosmos");
const { ClientSecretCredential } = require("@azure/identity");

const endpoint = process.env.ENDPOINT;
const master = new CosmosClient({ endpoint, key: process.env.KEY });
const code = async (fn) => {
  try {
    const r = await fn();
    return r.statusCode ?? r.resources?.length ?? 200;
  } catch (e) {
    return e.code ?? String(e);
  }
};

const { database } = await master.databases.createIfNotExists({ id: "shop" });
const { container } = await database.containers.createIfNotExists({ id: "orders", partitionKey: { paths: ["/customer"] } });
await container.items.create({ id: "1", customer: "ada" });
await container.items.create({ id: "1", customer: "bob" });
const { user } = await database.users.create({ id: "till" });
await database.users.upsert({ id: "till2" });
const { resource: reads } = await user.permissions.create({ id: "reads", permissionMode: PermissionMode.Read, resource: container.url });
const { resource: ada } = await user.permissions.create({ id: "ada", permissionMode: PermissionMode.All, resource: container.url, resourcePartitionKey: ["ada"] });
const listed = (await user.permissions.readAll().fetchAll()).resources.map((p) => p.id);

const work = async (client) => {
  const c = client.database("shop").container("orders");
  return [
    await code(() => c.read()),
    await code(() => c.item("1", "ada").read()),
    await code(() => c.item("1", "bob").read()),
    await code(() => c.items.query("SELECT * FROM c", { partitionKey: "ada" }).fetchAll()),
    await code(() => c.items.upsert({ id: "2", customer: "ada" })),
    await code(() => c.items.create({ id: "3", customer: "bob" })),
    await code(() => client.databases.create({ id: "more" })),
  ];
};

const out = { listed };
out.readToken = await work(new CosmosClient({ endpoint, resourceTokens: { [container.url]: reads._token } }));
out.keyToken = await work(new CosmosClient({ endpoint, resourceTokens: { [container.url]: ada._token } }));
out.feed = await work(new CosmosClient({ endpoint, permissionFeed: [reads] }));
const { resource: again } = await user.permission("reads").read();
await user.permission("reads").delete();
out.gone = await code(() => new CosmosClient({ endpoint, resourceTokens: { [container.url]: again._token } }).database("shop").container("orders").item("1", "ada").read());
const aadCredentials = new ClientSecretCredential(process.env.TENANT, process.env.APP, process.env.SECRET);
out.aad = await work(new CosmosClient({ endpoint, aadCredentials }));
console.log(JSON.stringify(out));
