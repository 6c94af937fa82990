import { setTimeout as delay } from "node:timers/promises";
import { connect, type Endpoint } from "./endpoint.ts";
import { openWatch } from "./event-stream.ts";
import { type Measurement, quantile } from "./measurement.ts";
import { benchNamespace } from "./operations.ts";

const path = `/api/v1/namespaces/${benchNamespace}/configmaps`;
const betweenCreatesMs = 5;
const lastEventWithinMs = 10_000;

/** Time from sending a create to each watch's event of it. What has not come in time is an error. */
export async function measureWatches(
  endpoint: Endpoint,
  { watches, events }: { readonly watches: number; readonly events: number },
): Promise<Measurement> {
  const connections = connect(endpoint, 1);
  const { metadata } = await connections.json<{ metadata: { resourceVersion: string } }>({ method: "GET", path: `${path}?limit=1` });
  const sentAt = new Map<string, number>();
  const latencies: number[] = [];
  const query = `watch=true&timeoutSeconds=60&resourceVersion=${metadata.resourceVersion}`;
  const open = () =>
    openWatch(endpoint, `${path}?${query}`, ({ type, object }) => {
      const sent = type === "ADDED" ? sentAt.get(object.metadata.name) : undefined;
      if (sent !== undefined) latencies.push(performance.now() - sent);
    });
  const stops = await Promise.all(Array.from({ length: watches }, open));
  const startedAt = performance.now();
  for (let at = 0; at < events; at++) {
    const name = `w-${Math.round(startedAt)}-${at}`;
    sentAt.set(name, performance.now());
    const body = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { a: "b" } });
    await connections.json({ method: "POST", path, contentType: "application/json", body });
    await delay(betweenCreatesMs);
  }
  const deadline = performance.now() + lastEventWithinMs;
  while (latencies.length < watches * events && performance.now() < deadline) await delay(5);
  const seconds = (performance.now() - startedAt) / 1000;
  for (const stop of stops) stop();
  await connections.close();
  const errors = watches * events - latencies.length;
  return {
    operation: `watch-${watches}`,
    count: latencies.length,
    errors,
    firstError: errors > 0 ? "events did not arrive" : "",
    perSecond: latencies.length / seconds,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
  };
}
