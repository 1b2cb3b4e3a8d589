// Puts items into a new container and asks queries with @azure/cosmos, page by page; prints each one's rows, or its error, as JSON. What is asked comes from the environment.
import { createRequire } from "node:module";

// The packages are installed outside the source tree; NODE_MODULES says where.
const require = createRequire(process.env.NODE_MODULES + "/");
const { CosmosClient } = require("@azure/cosmos");

const { name, container: definition, items, queries } = JSON.parse(process.env.WORK);
const client = new CosmosClient({ endpoint: process.env.ENDPOINT, key: process.env.KEY });
const { database } = await client.databases.createIfNotExists({ id: name });
const { container } = await database.containers.createIfNotExists(definition);
for (const item of items) await container.items.create(item);

// resumed asks each page by a new iterator, from the continuation token that the page before came with.
async function resumed(q) {
  const rows = [];
  let continuationToken;
  for (let page = 0; page < 100; page++) {
    const pages = container.items.query(q, { maxItemCount: 7, enableQueryControl: true, forceQueryPlan: true, continuationToken });
    const { resources, continuationToken: next } = await pages.fetchNext();
    rows.push(...(resources ?? []));
    if (!next) return rows;
    continuationToken = next;
  }
  throw new Error("the query does not end");
}

const answers = [];
for (const q of queries) {
  try {
    const rows = [];
    const pages = container.items.query(q, { maxItemCount: 7 });
    while (pages.hasMoreResults()) rows.push(...((await pages.fetchNext()).resources ?? []));
    answers.push({ rows, resumed: q.resumes ? await resumed(q) : [] });
  } catch (e) {
    answers.push({ error: e.message, code: e.code });
  }
}
const { resources: ranges } = await container.readPartitionKeyRanges().fetchAll();

const told = await container.items
  .query("SELECT * FROM c WHERE c.v > 20", { partitionKey: "p1", populateQueryMetrics: true, populateIndexMetrics: true })
  .fetchNext();
const metrics = { rows: told.resources.length, query: JSON.stringify(told.queryMetrics), index: told.indexMetrics };
console.log(JSON.stringify({ ranges: ranges.length, answers, metrics }));
