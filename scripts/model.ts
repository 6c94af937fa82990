/**
 * `npm run model [-- --all]`: has SPIN check the whole state space of the commit protocol (docs/commit-protocol.md) and find every planted mutation of it.
 * `--all` takes in what does not fit into minutes. Fails on an error, on a search that was cut short, on a mutation that is not found, and on an empty state space.
 */
import { checkModel, configurations, findMutation, mutations } from "../test/model/spin.ts";

let failed = false;
const report = (isGood: boolean, line: string): void => {
  failed ||= !isGood;
  process.stdout.write(`${isGood ? "ok" : "FAILED"}  ${line}\n`);
};
const all = process.argv.includes("--all");
for (const configuration of configurations.filter(({ long }) => all || long !== true)) {
  const { states, depth, errors, complete, seconds } = await checkModel(configuration);
  const isGood = errors === 0 && complete && states > 0;
  report(isGood, `${configuration.name}: ${states} states, depth ${depth}, ${errors} errors, ${seconds.toFixed(1)} s`);
}
for (const mutation of mutations) {
  const { states, errors, reason } = await findMutation(mutation);
  report(errors > 0, `${mutation.bug}: ${errors > 0 ? `found after ${states} states: ${reason}` : `NOT FOUND in ${states} states`}`);
}
process.exitCode = failed ? 1 : 0;
