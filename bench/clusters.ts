import { setTimeout as delay } from "node:timers/promises";
import { connect } from "./endpoint.ts";
import type { HostProcess } from "./host-process.ts";
import { quantile } from "./measurement.ts";

export interface ClusterFigures {
  readonly created: number;
  /** Milliseconds from the request to an answer that says `ready`, one request after another. */
  readonly firstHundredP50Ms: number;
  readonly lastHundredP50Ms: number;
  readonly p99Ms: number;
  /** With that many idle clusters in the store, after a restart. */
  readonly residentMiB: number;
  readonly restartMs: number;
}

/** Long enough for what a start leaves to be collected. */
const settleMs = 5000;
const tooManyRequests = 429;

/** Creates clusters one after another, then restarts the server over them. The host's own tenant must allow so many. */
export async function measureClusters(host: HostProcess, count: number): Promise<ClusterFigures> {
  const connections = connect(host.platform, 1);
  const latencies: number[] = [];
  while (latencies.length < count) {
    const body = JSON.stringify({ name: `bench-${latencies.length}`, nodes: 0 });
    const sentAt = performance.now();
    const { status, bytes } = await connections.send({ method: "POST", path: "/v1/clusters", contentType: "application/json", body });
    if (status === tooManyRequests) {
      await delay(200);
      continue;
    }
    const text = bytes.toString();
    if (status !== 201 || JSON.parse(text).state !== "ready") throw new Error(`cluster ${latencies.length}: ${status} ${text}`);
    latencies.push(performance.now() - sentAt);
  }
  await connections.close();
  await host.restart();
  await delay(settleMs);
  return {
    created: count,
    firstHundredP50Ms: quantile(latencies.slice(0, 100), 0.5),
    lastHundredP50Ms: quantile(latencies.slice(-100), 0.5),
    p99Ms: quantile(latencies, 0.99),
    residentMiB: host.residentMiB(),
    restartMs: host.startedInMs,
  };
}
