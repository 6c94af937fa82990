import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { plantedBugs } from "./planted/bugs.ts";
import { changeProduct } from "./planted/hooks.ts";
import type { Failure, Progress } from "./run-seeds.ts";
import { scale } from "./scale.ts";

/**
 * npm run simulate -- --histories N --seed S [--workers W] [--plant BUG] [--quiet]
 * npm run simulate -- --seed S --histories 1 --replay [--cuts A,B,…] [--plant BUG]
 */
const { values } = parseArgs({
  options: {
    histories: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
    workers: { type: "string", default: String(Math.min(2, availableParallelism())) },
    replay: { type: "boolean", default: false },
    cuts: { type: "string", default: "" },
    plant: { type: "string" },
    /** Shrinking takes some seconds. */
    "no-shrink": { type: "boolean", default: false },
    /** `INDEX/COUNT`: this process is a worker of another one. */
    share: { type: "string" },
  },
});

const first = Number(values.seed);
const histories = Number(values.histories);
const planted = plantedBugs.find(({ name }) => name === values.plant);
if (values.plant !== undefined && !planted)
  throw new RangeError(`no bug is called ${values.plant}: ${plantedBugs.map(({ name }) => name).join(", ")}`);

function load(): Promise<typeof import("./run-seeds.ts")> {
  changeProduct([...scale, ...(planted?.patches ?? [])]);
  return import("./run-seeds.ts");
}

/** The kinds of histories take turns in as many seeds (`playableOf`), and some take ten times as long as others: each worker has them all alike. */
const seedsAtOnce = 40;

function* seedsOf(share: string): Generator<number> {
  const [index = 0, count = 1] = share.split("/").map(Number);
  const block = Math.min(seedsAtOnce, Math.ceil(histories / count));
  for (let start = index * block; start < histories; start += count * block)
    for (let at = start; at < Math.min(start + block, histories); at++) yield first + at;
}

async function work(share: string): Promise<void> {
  // Errors are many and nobody reads where they were made.
  Error.stackTraceLimit = 0;
  const { runSeeds } = await load();
  for await (const progress of runSeeds(seedsOf(share), !values["no-shrink"]))
    await new Promise((resolve) => process.send?.(progress, undefined, undefined, resolve));
  // The time limits of agents' calls (AbortSignal.timeout) are real ones, and would hold the process for a minute.
  process.exit();
}

/** Resolves with the first failure, if any. */
async function lead(): Promise<boolean> {
  const startedAtMs = performance.now();
  let done = 0;
  let happenings = 0;
  let failure: Failure | undefined;
  const tell = (): void => {
    const seconds = (performance.now() - startedAtMs) / 1000;
    console.log(`${done} of ${histories} histories, ${happenings} happenings, ${seconds.toFixed(0)} s`);
  };
  const timer = setInterval(tell, 10_000);
  const count = Math.max(1, Math.min(Number(values.workers), histories));
  const workers = Array.from({ length: count }, (_, index) =>
    fork(import.meta.filename, [...process.argv.slice(2), "--share", `${index}/${count}`]),
  );
  const codes = await Promise.all(
    workers.map((worker) => {
      const exited = Promise.withResolvers<number>();
      worker.on("exit", (code) => exited.resolve(code ?? 1));
      worker.on("message", (progress: Progress) => {
        done += progress.histories;
        happenings += progress.happenings;
        if (!progress.failure) return;
        if (!failure || progress.failure.seed < failure.seed) failure = progress.failure;
        for (const other of workers) if (other !== worker) other.kill();
      });
      return exited.promise;
    }),
  );
  clearInterval(timer);
  tell();
  if (failure) report(failure);
  else if (codes.some((code) => code !== 0)) throw new Error("a worker ended early");
  else console.log(`no violation in seeds ${first} – ${first + histories - 1}`);
  return failure === undefined;
}

function report({ seed, violations, cuts }: Failure): void {
  console.log(`seed ${seed} fails, ${seed - first + 1} histories after the first seed:`);
  for (const { rule, story } of violations.slice(0, 10)) console.log(`  ✗ ${rule}: ${story}`);
  const more = `${cuts.length > 0 ? ` --cuts ${cuts.join(",")}` : ""}${planted ? ` --plant ${planted.name}` : ""}`;
  console.log(`replay: npm run simulate -- --seed ${seed} --histories 1 --replay${more}`);
}

if (values.share !== undefined) await work(values.share);
else if (values.replay) {
  const { replay } = await load();
  const isGood = await replay(first, values.cuts === "" ? [] : values.cuts.split(","), (line) => console.log(line));
  process.exitCode = isGood ? 0 : 1;
} else process.exitCode = (await lead()) ? 0 : 1;
