import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { serveCluster } from "../../../shared/api/cluster-api.ts";
import type { ApiRequest } from "../../../shared/api/request-info.ts";
import { isStream, type StreamBody } from "../../../shared/api/response.ts";
import { systemClock } from "../../../shared/clock.ts";
import { openClusterRuntime } from "../../../shared/host/cluster-runtime.ts";
import { DynamoStore } from "../../../shared/store/dynamo/dynamo-store.ts";
import { MemoryTable } from "../store/dynamo/memory-table.ts";
import { runtimeOptions } from "./runtime-fixture.ts";

const ref = { tenant: "t", cluster: "c" };

async function openRuntime() {
  const store = new DynamoStore({ table: new MemoryTable(), clock: systemClock, random: Math.random, makeId: randomUUID });
  await store.createCluster(ref);
  return openClusterRuntime(ref, runtimeOptions(store, systemClock), () => {});
}

async function watchOf(runtime: Awaited<ReturnType<typeof openRuntime>>, query: string): Promise<StreamBody> {
  const request: ApiRequest = {
    ...{ method: "GET", url: `/api/v1/configmaps?watch=true&resourceVersion=1&${query}` },
    ...{ header: () => undefined, headersFrom: () => [], body: () => Promise.resolve(Buffer.alloc(0)) },
  };
  const user = { username: "admin", uid: "", groups: ["system:masters"], extra: {} };
  const { body } = await serveCluster(runtime, request, user, (error) => {
    throw error;
  });
  if (!isStream(body)) throw new Error("no stream");
  return body;
}

const received = (body: StreamBody): Promise<string> =>
  new Promise((resolve) => {
    let text = "";
    const write = (chunk: Buffer): true => {
      text += chunk.toString();
      return true;
    };
    body.start({ write, drained: () => Promise.resolve(), end: () => resolve(text) });
  });

describe("a cluster that leaves the process", () => {
  it("ends its watches, with a bookmark where the client takes one, so that they go on from there", async () => {
    const runtime = await openRuntime();
    const told = received(await watchOf(runtime, "allowWatchBookmarks=true"));
    const untold = received(await watchOf(runtime, ""));
    await runtime.close();
    expect(JSON.parse(await told)).toMatchObject({ type: "BOOKMARK", object: { metadata: { resourceVersion: "1" } } });
    expect(await untold).toBe("");
  });

  it("ends a watch that begins when it has left", async () => {
    const runtime = await openRuntime();
    const body = await watchOf(runtime, "allowWatchBookmarks=true");
    await runtime.close();
    expect(JSON.parse(await received(body)).type).toBe("BOOKMARK");
  });
});
