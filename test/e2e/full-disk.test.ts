import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ConfigMap, Status } from "../../shared/kubernetes/types.ts";
import { untilTrue } from "./eventually.ts";
import { describeWith, needs } from "./needs.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

interface WatchEvent {
  readonly type: string;
  readonly object: ConfigMap;
}

const run = promisify(execFile);
const path = "/api/v1/namespaces/default/configmaps";
const wide = "x".repeat(100_000);
const writers = 8;

describeWith([needs.linux, needs.root], "a server whose disk becomes full under load, and has room again", () => {
  let disk: string;
  let server: ServerFixture;
  /** The newest acknowledged version of each object. */
  const acknowledged = new Map<string, number>();
  const refusedNames = new Set<string>();
  const refused: { readonly status: number; readonly body: Status; readonly retryAfter: string | undefined }[] = [];
  const events: WatchEvent[] = [];
  const end = new AbortController();
  let written = 0;
  let done = false;
  let writing: Promise<unknown>;

  const versionOf = ({ metadata }: ConfigMap): number => Number(metadata.resourceVersion);
  const create = async (data: Record<string, string> = { wide }): Promise<void> => {
    const name = `fill-${written++}`;
    const body: ConfigMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { ...data, name } };
    const { status, headers, json } = await server.api.send(path, { method: "POST", body });
    if (status === 201) acknowledged.set(name, versionOf(json<ConfigMap>()));
    else {
      refusedNames.add(name);
      refused.push({ status, body: json<Status>(), retryAfter: headers["retry-after"] });
    }
  };
  const list = async (): Promise<ConfigMap[]> => (await server.api.send(path)).json<{ items: ConfigMap[] }>().items;
  const lost = async (): Promise<string[]> => {
    const before = [...acknowledged];
    const found = new Map((await list()).map((item) => [item.metadata.name, versionOf(item)]));
    return before.flatMap(([name, version]) => (found.get(name) === version ? [] : [name]));
  };

  const watch = async (from: string): Promise<void> => {
    for await (const line of server.api.lines(from, { signal: end.signal })) events.push(JSON.parse(line));
  };

  beforeAll(async () => {
    disk = await mkdtemp(join(tmpdir(), "coracle-disk-"));
    await run("mount", ["-t", "tmpfs", "-o", "size=48m", "tmpfs", disk]);
    await writeFile(join(disk, "ballast"), Buffer.alloc(28_000_000));
    server = await startServer({ parent: disk, nodes: 2, runtime: "hollow" });
    const { metadata } = (await server.api.send(path)).json<{ metadata: { resourceVersion: string } }>();
    const query = `watch=true&resourceVersion=${metadata.resourceVersion}&fieldSelector=metadata.name!%3Dkube-root-ca.crt`;
    // The last test kills the server under it.
    watch(`${path}?${query}`).catch(() => undefined);
    const writer = async (): Promise<void> => {
      while (!done && written < 3000) {
        const before = refused.length;
        await create();
        if (refused.length > before) await sleep(20);
      }
    };
    writing = Promise.all(Array.from({ length: writers }, writer));
    await untilTrue("the disk is full", async () => refused.length >= 40);
  });
  afterAll(async () => {
    done = true;
    end.abort();
    await server?.stop();
    await run("umount", ["--lazy", disk]);
    await rm(disk, { recursive: true });
  });

  it("refuses writes with a Status that says so and when to come again", async () => {
    expect(acknowledged.size).toBeGreaterThan(10);
    for (const { status, body, retryAfter } of refused) {
      expect(body).toMatchObject({ kind: "Status", apiVersion: "v1", status: "Failure", reason: "ServiceUnavailable", code: 503 });
      expect([status, retryAfter]).toEqual([503, "1"]);
      expect(body.message).toBe("the server's disk is full: nothing was written");
    }
  });

  it("goes on answering reads and watches, with all that it acknowledged and nothing that it refused", async () => {
    expect(await lost()).toEqual([]);
    expect((await list()).filter(({ metadata }) => refusedNames.has(metadata.name ?? ""))).toEqual([]);
    expect((await server.api.send("/readyz")).status).toBe(200);
    expect((await server.platform.send("/v1/clusters")).status).toBe(200);
  });

  it("writes again by itself when there is room, and has lost, repeated and reused nothing", async () => {
    const before = acknowledged.size;
    await rm(join(disk, "ballast"));
    await untilTrue("it writes again", async () => acknowledged.size >= before + 30);
    done = true;
    await writing;
    await create({ last: "yes" });
    expect(await lost()).toEqual([]);
    const items = (await list()).filter(({ metadata }) => metadata.name !== "kube-root-ca.crt");
    expect(items.filter(({ metadata }) => refusedNames.has(metadata.name ?? ""))).toEqual([]);
    const stored = items.map((item) => [versionOf(item), item.metadata.name]).sort(([a], [b]) => Number(a) - Number(b));
    const shown = () => events.map(({ object }) => [versionOf(object), object.metadata.name]);
    await untilTrue("the watch shows all", async () => shown().length >= stored.length);
    expect(shown()).toEqual(stored);
    expect(new Set(acknowledged.values()).size).toBe(acknowledged.size);
    const nodes = (await server.api.send("/api/v1/nodes")).json<{
      items: { status: { conditions: { type: string; status: string }[] } }[];
    }>();
    expect(
      nodes.items.flatMap(({ status }) => status.conditions.filter(({ type }) => type === "Ready").map(({ status: is }) => is)),
    ).toEqual(["True", "True"]);
  });

  it("has the same after a start from what is on the disk", async () => {
    const before = (await list()).map((item) => [item.metadata.name, versionOf(item)]);
    await server.kill("SIGKILL");
    await server.restart();
    expect((await list()).map((item) => [item.metadata.name, versionOf(item)])).toEqual(before);
    const newest = Math.max(...acknowledged.values());
    await create({ after: "the start" });
    expect(Math.max(...acknowledged.values())).toBeGreaterThan(newest);
    expect(await lost()).toEqual([]);
  });
});
