// Prints what the reports of a suite's spec files come to, and whether that is enough.
// Usage: node tally.js NAME FOLDER BAR, where a report is SPEC.json with "/" written as "+", and BAR is one of
// "passed N" (at least so many tests pass) or "share P" (at least P percent of those that ran do); "" for none.
const fs = require("fs");
const path = require("path");

const [name, folder, bar] = process.argv.slice(2);
const total = { passes: 0, failures: 0, pending: 0 };
let lost = 0;
for (const file of fs.readdirSync(folder).filter((f) => f.endsWith(".json")).sort()) {
  const spec = path.basename(file, ".json").replaceAll("+", "/");
  const text = fs.readFileSync(path.join(folder, file), "utf8");
  if (!text) {
    lost++;
    console.log(`${spec.padEnd(66)} did not end`);
    continue;
  }
  const r = JSON.parse(text);
  for (const k of Object.keys(total)) total[k] += r[k];
  console.log(`${spec.padEnd(66)} ${r.passes} passed, ${r.failures} failed, ${r.pending} skipped`);
  for (const f of r.failed) console.log(`    ${f.title}: ${f.reason}`);
}
const ran = total.passes + total.failures;
const share = ran ? (100 * total.passes) / ran : 0;
console.log(`${name}: ${total.passes} passed, ${total.failures} failed, ${total.pending} skipped`);
const [kind, limit] = bar.split(" ");
const bad = [];
if (bar && lost) bad.push(`${lost} spec files did not end`);
if (kind === "passed" && total.passes < +limit) bad.push(`at least ${limit} have to pass`);
if (kind === "share" && share < +limit) bad.push(`${share.toFixed(1)} % passed, at least ${limit} % have to`);
if (bad.length) {
  console.log(`${name}: not enough: ${bad.join("; ")}`);
  process.exit(1);
}
if (bar) console.log(`${name}: ${share.toFixed(1)} % of what ran passed, which is enough`);
