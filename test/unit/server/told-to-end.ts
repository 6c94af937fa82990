import { expect } from "vitest";
import type { ConfigMap } from "../../../shared/kubernetes/types.ts";
import { untilTrue } from "../../e2e/eventually.ts";
import type { HttpClient } from "../../e2e/http.ts";

export const configMap = (name: string): ConfigMap => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name } });
export const configMaps = "/api/v1/namespaces/default/configmaps";
export const watchOfConfigMaps = `${configMaps}?watch=true&allowWatchBookmarks=true&fieldSelector=metadata.name!%3Dkube-root-ca.crt`;

export interface WatchEvent {
  readonly type: string;
  readonly object: ConfigMap;
}

export function watching(client: HttpClient, path: string): { events: WatchEvent[]; ended: Promise<void> } {
  const events: WatchEvent[] = [];
  const read = async (): Promise<void> => {
    for await (const line of client.lines(path)) events.push(JSON.parse(line));
  };
  return { events, ended: read() };
}

/** A cluster at a server that can be told to end. */
export interface EndingServer {
  readonly client: HttpClient;
  readonly path: string;
  close(): Promise<void>;
  /** The same cluster at another server, or at this one when it is back. */
  elsewhere(): Promise<HttpClient>;
}

/** What every host keeps to: whoever watches is told where to go on, and what was acknowledged is all that he is told. */
export async function endsInOrder({ client, path, close, elsewhere }: EndingServer): Promise<void> {
  const seen = watching(client, `${path}${watchOfConfigMaps}&resourceVersion=1`);
  expect((await client.send(`${path}${configMaps}`, { method: "POST", body: configMap("a") })).status).toBe(201);
  await untilTrue("the watch shows it", async () => seen.events.length === 1);
  const writes = Array.from({ length: 20 }, (_, index) =>
    client.send(`${path}${configMaps}`, { method: "POST", body: configMap(`w${index}`) }).then(
      ({ status }) => status,
      () => 0,
    ),
  );
  await untilTrue("some are there", async () => seen.events.length > 3);
  await close();
  await seen.ended;
  const last = seen.events.at(-1);
  expect(last?.type).toBe("BOOKMARK");
  const outcomes = await Promise.all(writes);
  expect(outcomes.filter((status) => status !== 201 && status !== 503 && status !== 0)).toEqual([]);
  const other = await elsewhere();
  const goesOn = watching(other, `${path}${watchOfConfigMaps}&resourceVersion=${last?.object.metadata.resourceVersion}`);
  expect((await other.send(`${path}${configMaps}`, { method: "POST", body: configMap("z") })).status).toBe(201);
  await untilTrue("it goes on", async () => goesOn.events.at(-1)?.object.metadata.name === "z");
  const { items } = (await other.send(`${path}${configMaps}`)).json<{ items: ConfigMap[] }>();
  const stored = items.map(({ metadata }) => metadata.name).filter((name) => name !== "kube-root-ca.crt");
  const shown = [...seen.events, ...goesOn.events].filter(({ type }) => type === "ADDED").map(({ object }) => object.metadata.name);
  expect(shown.sort()).toEqual(stored.sort());
  expect(outcomes.filter((status) => status === 201).length).toBeLessThanOrEqual(stored.length - 2);
  goesOn.ended.catch(() => {});
}
