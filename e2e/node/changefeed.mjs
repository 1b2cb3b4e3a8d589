// Follows a change feed with @azure/cosmos while a range of the container is split, and prints what it saw as JSON; where everything is comes
// from the environment. SPLIT is the command that splits a range whose id is its last word.
import { execFileSync } from "node:child_process";
import { Agent } from "node:https";
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_MODULES + "/");
const { CosmosClient, ChangeFeedStartFrom } = require("@azure/cosmos");

// Names under the platform's suffix are this machine; not every system's resolver knows that of .localhost.
const lookup = (_, options, done) => (options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4));
const client = new CosmosClient({ endpoint: process.env.ENDPOINT, key: process.env.KEY, agent: new Agent({ lookup }) });
const { database } = await client.databases.createIfNotExists({ id: "feeds" });
const { container } = await database.containers.createIfNotExists({ id: "node", partitionKey: { paths: ["/pk"] }, throughput: 11000 });

const seen = [];
const write = async (from, to) => {
  for (let i = from; i < to; i++) await container.items.create({ id: String(i), pk: "k" + i });
};
// Reads until there is nothing new, and gives where it then stands.
const follow = async (options, into) => {
  const iterator = container.items.getChangeFeedIterator({ maxItemCount: 7, ...options });
  for await (const page of iterator.getAsyncIterator()) {
    if (page.statusCode === 304) return page.continuationToken;
    into.push(...page.result.map((d) => Number(d.id)));
  }
};
const split = (range) => {
  const [command, ...words] = JSON.parse(process.env.SPLIT);
  execFileSync(command, [...words, range], { env: { PATH: process.env.PATH } });
};

await write(0, 40);
let at = await follow({ changeFeedStartFrom: ChangeFeedStartFrom.Beginning() }, seen);
const first = seen.length;
const fresh = [];
let now = await follow({ changeFeedStartFrom: ChangeFeedStartFrom.Now() }, fresh);
const nowFirst = fresh.length;
await write(40, 50);
split("0");
await write(50, 80);
at = await follow({ changeFeedStartFrom: ChangeFeedStartFrom.Continuation(at) }, seen);
now = await follow({ changeFeedStartFrom: ChangeFeedStartFrom.Continuation(now) }, fresh);

// One that is in the middle of its iteration when the split comes.
const third = [];
const iterator = container.items.getChangeFeedIterator({ maxItemCount: 7, changeFeedStartFrom: ChangeFeedStartFrom.Beginning() });
let pages = 0;
for await (const page of iterator.getAsyncIterator()) {
  if (page.statusCode === 304) break;
  third.push(...page.result.map((d) => Number(d.id)));
  if (++pages === 2) split("1");
}
const one = [];
await follow({ changeFeedStartFrom: ChangeFeedStartFrom.Beginning("k7") }, one);
const sums = (ids) => [ids.length, new Set(ids).size];
const { resources: ranges } = await container.readPartitionKeyRanges().fetchAll();
const { resources: all } = await container.items.query("SELECT * FROM c", { maxItemCount: 9 }).fetchAll();
console.log(JSON.stringify({ first, seen: sums(seen), nowFirst, fresh: sums(fresh), third: sums(third), one, ranges: ranges.length, all: sums(all.map((d) => d.id)) }));
