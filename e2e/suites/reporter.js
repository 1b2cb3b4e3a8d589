// A mocha reporter that prints as mocha's own does and leaves the counts and the failures in the file that SUITE_REPORT names.
const fs = require("fs");
const { reporters } = require(require.resolve("mocha", { paths: [process.cwd()] }));

module.exports = class extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once("end", () => {
      const { passes, failures, pending } = this.stats;
      const failed = this.failures.map((t) => ({
        title: t.fullTitle(),
        reason: String((t.err && t.err.message) || JSON.stringify(t.err)).split("\n").filter(Boolean).slice(0, 2).join(" ").slice(0, 240),
      }));
      fs.writeFileSync(process.env.SUITE_REPORT, JSON.stringify({ passes, failures, pending, failed }));
    });
  }
};
