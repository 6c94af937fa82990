import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { dirname, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { bundledFrom } from "../shared/compiled.mjs";
import { measureClusters } from "./clusters.ts";
import type { Endpoint } from "./endpoint.ts";
import { startFloor } from "./floor.ts";
import { type HostProcess, startHostProcess } from "./host-process.ts";
import { loadWithKbench } from "./kbench.ts";
import { type Measurement, median, mediansOf } from "./measurement.ts";
import { loadWithNode } from "./node-load.ts";
import { renderBarChart } from "./plot.ts";
import { buildApiServer, type ReferenceFigures, startReference } from "./reference.ts";
import { renderReport } from "./report.ts";
import type { Results } from "./results.ts";
import { measureScheduling, type SchedulingFigures } from "./scheduling.ts";
import { throughputChart } from "./throughput-chart.ts";

/**
 * Measures the embedded host as a user would run it, and a bare Node server over the same database beside it.
 * `node bench/run.ts --help` lists the options.
 */
const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "3" },
    objects: { type: "string", default: "3000" },
    clusters: { type: "string", default: "1000" },
    nodes: { type: "string", default: "1000" },
    pods: { type: "string", default: "5000" },
    only: { type: "string", default: "start,api,floor,clusters,scheduling" },
    kbench: { type: "string" },
    reference: { type: "string" },
    processes: { type: "string", default: "2" },
    json: { type: "string" },
    plot: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
const help = `npm run bench -- [options]
  --runs N        runs of each part; medians are shown (3)
  --objects N     objects made, read, changed and deleted (3000)
  --clusters N    clusters created one after another (1000)
  --nodes N --pods N   what the scheduler has to place (1000, 5000)
  --only PARTS    some of start,api,floor,clusters,scheduling
  --kbench PATH   a Go client in place of this program's own client processes
  --reference DIR kube-apiserver over etcd beside it, which is built in DIR once (Go, etcd; ten minutes)
  --processes N   client processes where no --kbench is given (2)
  --json FILE     the figures
  --plot FILE     a picture of them (SVG)
`;
const runs = Number(values.runs);
const objects = Number(values.objects);
const parts = new Set(values.only.split(","));
const floorOperations = ["create-configmap", "get-configmap"];
const settleMs = 3000;

function load(endpoint: Endpoint, only?: readonly string[]): Promise<Measurement[]> {
  if (values.kbench !== undefined) return loadWithKbench(values.kbench, endpoint, objects, only);
  return loadWithNode(endpoint, objects, { processes: Number(values.processes), ...(only && { only }) });
}

async function repeated<T>(what: string, measure: () => Promise<T>): Promise<T[]> {
  const found: T[] = [];
  for (let run = 1; run <= runs; run++) {
    process.stderr.write(`${what}: run ${run} of ${runs}\n`);
    found.push(await measure());
  }
  return found;
}

async function withHost<T>(use: (host: HostProcess) => Promise<T>): Promise<T> {
  const host = await startHostProcess();
  try {
    return await use(host);
  } finally {
    await host.stop();
  }
}

async function start(): Promise<NonNullable<Results["start"]>> {
  const found = await repeated("start", () =>
    withHost(async (host) => {
      const firstMs = host.startedInMs;
      await host.restart();
      await delay(settleMs);
      return { firstMs, againMs: host.startedInMs, idleMiB: host.residentMiB() };
    }),
  );
  const middle = (figure: "firstMs" | "againMs" | "idleMiB"): number => median(found.map((run) => run[figure]));
  return { firstMs: middle("firstMs"), againMs: middle("againMs"), idleMiB: middle("idleMiB") };
}

async function api(): Promise<Pick<Results, "api" | "afterApiMiB">> {
  const found = await repeated("operations", () =>
    withHost(async (host) => ({ measured: await load(host.cluster), residentMiB: host.residentMiB() })),
  );
  return { api: mediansOf(found.map(({ measured }) => measured)), afterApiMiB: median(found.map(({ residentMiB }) => residentMiB)) };
}

async function floor(): Promise<Measurement[]> {
  const found = await repeated("floor", async () => {
    const { endpoint, stop } = await startFloor();
    try {
      return await load(endpoint, floorOperations);
    } finally {
      await stop();
    }
  });
  return mediansOf(found);
}

async function reference(directory: string): Promise<ReferenceFigures> {
  const program = buildApiServer(resolve(directory));
  const found = await repeated("kube-apiserver", async () => {
    const server = await startReference(program);
    try {
      await delay(settleMs);
      const { startedInMs: startMs } = server;
      const residentMiB = server.residentMiB();
      return { startMs, residentMiB, api: await load(server.endpoint) };
    } finally {
      await server.stop();
    }
  });
  const middle = (figure: "startMs" | "residentMiB"): number => median(found.map((run) => run[figure]));
  return { api: mediansOf(found.map((run) => run.api)), startMs: middle("startMs"), residentMiB: middle("residentMiB") };
}

async function scheduling(): Promise<SchedulingFigures> {
  const size = { nodes: Number(values.nodes), pods: Number(values.pods) };
  const found = await repeated("scheduling", () => withHost((host) => measureScheduling(host, size)));
  const seconds = median(found.map((run) => run.seconds));
  return { ...size, seconds, podsPerSecond: size.pods / seconds };
}

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "unknown";
  }
}

function write(file: string, content: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

async function measure(): Promise<Results> {
  const processors = cpus();
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  return {
    machine: `${processors.length} × ${processors[0]?.model.trim() ?? "?"}, ${memoryGiB} GiB, ${type()} ${release()}, Node ${process.versions.node}`,
    commit: bundledFrom("server/run.ts") === undefined ? `${commit()} from its sources (\`npm run prepare\` bundles them)` : commit(),
    loadBefore: loadavg()[0] ?? 0,
    client: values.kbench === undefined ? `Node, ${values.processes} processes` : "kbench (Go)",
    runs,
    objects,
    ...(parts.has("start") && { start: await start() }),
    ...(parts.has("floor") && { floor: await floor() }),
    ...(parts.has("api") && (await api())),
    ...(values.reference !== undefined && { reference: await reference(values.reference) }),
    ...(parts.has("clusters") && { clusters: await withHost((host) => measureClusters(host, Number(values.clusters))) }),
    ...(parts.has("scheduling") && { scheduling: await scheduling() }),
  };
}

if (values.help) process.stdout.write(help);
else {
  const results = await measure();
  process.stdout.write(`${renderReport(results)}\n`);
  if (values.json !== undefined) write(values.json, `${JSON.stringify(results, undefined, 2)}\n`);
  if (values.plot !== undefined) write(values.plot, renderBarChart(throughputChart(results)));
}
