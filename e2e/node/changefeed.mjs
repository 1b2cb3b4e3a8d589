// Follows a change feed with @azure/cosmos while ranges of the container are split and merged, and prints what it saw as JSON; where everything is comes
// from the environment. SPLIT is the command that splits a range whose id is its last word, MERGE one that merges the two whose ids are its last words.
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
const run = (what, ...ranges) => {
  const [command, ...words] = JSON.parse(what);
  execFileSync(command, [...words, ...ranges], { env: { PATH: process.env.PATH } });
};
const split = (range) => run(process.env.SPLIT, range);
const readRanges = async () => (await container.readPartitionKeyRanges().fetchAll()).resources.sort((a, b) => (a.minInclusive < b.minInclusive ? -1 : 1));
// Merges the first two ranges, and gives the id of what they became.
const merge = async () => {
  const [a, b] = await readRanges();
  run(process.env.MERGE, a.id, b.id);
  return (await readRanges())[0].id;
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
// Merges: one between two reads, one amid an iteration, one amid a query.
const merged = await merge();
await write(80, 100);
at = await follow({ changeFeedStartFrom: ChangeFeedStartFrom.Continuation(at) }, seen);
now = await follow({ changeFeedStartFrom: ChangeFeedStartFrom.Continuation(now) }, fresh);
const fourth = [];
const again = container.items.getChangeFeedIterator({ maxItemCount: 7, changeFeedStartFrom: ChangeFeedStartFrom.Beginning() });
pages = 0;
for await (const page of again.getAsyncIterator()) {
  if (page.statusCode === 304) break;
  fourth.push(...page.result.map((d) => Number(d.id)));
  if (++pages === 3) await merge();
}
split((await readRanges())[0].id);
const queried = [];
pages = 0;
for await (const page of container.items.query("SELECT * FROM c", { maxItemCount: 9 }).getAsyncIterator()) {
  queried.push(...page.resources.map((d) => d.id));
  if (++pages === 2) await merge();
}
const after = { seen: sums(seen), fresh: sums(fresh), fourth: sums(fourth), queried: sums(queried), ranges: (await readRanges()).length };
await container.items.upsert({ id: "7", pk: "k7", again: true });
const { resource } = await container.item("7", "k7").read();
console.log(JSON.stringify({ merged, after, again: resource.again, first, nowFirst, third: sums(third), one, ranges: ranges.length, all: sums(all.map((d) => d.id)) }));
