import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { connect, type Endpoint } from "./endpoint.ts";
import type { LoadOrder, LoadReport } from "./load-process.ts";
import { type Measurement, quantile } from "./measurement.ts";
import { benchNamespace, deletions, type Operation, operations } from "./operations.ts";
import { measureWatches } from "./watches.ts";

const program = fileURLToPath(new URL("load-process.ts", import.meta.url));

/** Drives a server with client processes of this program's own; they run where no other client is at hand, and cost more than Go's. */
export async function loadWithNode(
  endpoint: Endpoint,
  objects: number,
  { processes, only }: { readonly processes: number; readonly only?: readonly string[] },
): Promise<Measurement[]> {
  const wanted = (name: string): boolean => only?.includes(name) ?? true;
  await makeNamespace(endpoint);
  const children = await Promise.all(Array.from({ length: processes }, startProcess));
  try {
    const measured: Measurement[] = [];
    for (const operation of operations) if (wanted(operation.name)) measured.push(await run(endpoint, operation, objects, children));
    if (wanted("watch-50")) measured.push(await measureWatches(endpoint, { watches: 50, events: 200 }));
    for (const operation of deletions) if (wanted(operation.name)) measured.push(await run(endpoint, operation, objects, children));
    return measured;
  } finally {
    for (const child of children) child.kill();
  }
}

async function makeNamespace(endpoint: Endpoint): Promise<void> {
  const connections = connect(endpoint, 1);
  const body = JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: benchNamespace } });
  await connections.json({ method: "POST", path: "/api/v1/namespaces", contentType: "application/json", body });
  await connections.close();
}

async function startProcess(): Promise<ChildProcess> {
  const child = fork(program, { serialization: "advanced" });
  await once(child, "message");
  return child;
}

async function run(endpoint: Endpoint, operation: Operation, objects: number, children: readonly ChildProcess[]): Promise<Measurement> {
  const count = operation.count(objects);
  const concurrency = Math.max(1, Math.floor(operation.concurrency / children.length));
  const startedAt = performance.now();
  const reports = await Promise.all(
    children.map(async (child, first): Promise<LoadReport> => {
      const order: LoadOrder = { endpoint, operation: operation.name, count, first, step: children.length, concurrency };
      child.send(order);
      const [report] = await once(child, "message");
      return report;
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const latencies = reports.flatMap(({ latenciesMs }) => latenciesMs);
  return {
    operation: operation.name,
    count: latencies.length,
    errors: reports.reduce((sum, { errors }) => sum + errors, 0),
    firstError: reports.find(({ firstError }) => firstError !== "")?.firstError ?? "",
    perSecond: latencies.length / seconds,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
  };
}
