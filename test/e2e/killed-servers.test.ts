import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ConfigMap, Pod, ReplicationController } from "../../shared/kubernetes/types.ts";
import { fetchDynamoDbLocal } from "../contract/dynamodb-local.ts";
import { untilTrue } from "./eventually.ts";
import type { HttpClient } from "./http.ts";
import { describeWith } from "./needs.ts";
import { createTenantCluster, startTableServers, type TableServers } from "./servers-fixture.ts";

interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: ConfigMap;
}

const namespace = "/api/v1/namespaces/default";
const path = `${namespace}/configmaps`;
/** CI takes a few; `CORACLE_KILLS=50` is the full size. */
const kills = Number(process.env.CORACLE_KILLS ?? 4);
const count = 3;
const writers = 6;
const watches = 4;
const writesBetweenKills = 25;
const local = await fetchDynamoDbLocal();

const wide = "x".repeat(2000);
/** What is half there shows: both ends say the same. */
const contentOf = (value: string) => ({ first: value, wide, last: value });
const isWhole = ({ data }: ConfigMap): boolean => data?.first === data?.last && data?.wide === wide;
const versionOf = ({ metadata }: ConfigMap): number => Number(metadata.resourceVersion);
const nameOf = ({ metadata }: ConfigMap): string => metadata.name ?? "";
const oneOf = <T>(list: readonly T[]): T => {
  const chosen = list[Math.floor(Math.random() * list.length)];
  if (chosen === undefined) throw new Error("none");
  return chosen;
};

describeWith([local.need], `${count} servers over one table, killed ${kills} times under load`, () => {
  let fixture: TableServers;
  let clients: readonly HttpClient[];
  /** The newest acknowledged version of each object; 0: its deletion was. */
  const acknowledged = new Map<string, number>();
  const acknowledgedVersions = new Set<number>();
  /** The last request about these went unanswered: it was done, or not. */
  const open = new Set<string>();
  const seen: WatchEvent[][] = Array.from({ length: watches }, () => []);
  let resumed = 0;
  const end = new AbortController();
  let written = 0;
  let done = false;
  let watching: readonly Promise<void>[] = [];

  const changes = (events: readonly WatchEvent[]): WatchEvent[] => events.filter(({ type }) => type !== "BOOKMARK");
  const list = async (client: HttpClient): Promise<ConfigMap[]> =>
    (await client.send(path)).json<{ items: ConfigMap[] }>().items.filter((item) => nameOf(item) !== "kube-root-ca.crt");

  /** Goes on with another server from its last version, whenever one ends. */
  const watch = async (events: WatchEvent[], from: string): Promise<void> => {
    while (!end.signal.aborted) {
      const last = events.at(-1)?.object.metadata.resourceVersion ?? from;
      const query = `watch=true&allowWatchBookmarks=true&resourceVersion=${last}&fieldSelector=metadata.name!%3Dkube-root-ca.crt`;
      try {
        for await (const line of oneOf(clients).lines(`${path}?${query}`, { signal: end.signal })) events.push(JSON.parse(line));
      } catch {
        await sleep(50);
      }
      resumed++;
    }
  };

  /** One request to some server. `undefined`: cut off without an answer, or refused for want of one. */
  const ask = async (name: string, method: string, body?: object): Promise<ConfigMap | undefined> => {
    open.add(name);
    try {
      const answer = await oneOf(clients).send(method === "POST" ? path : `${path}/${name}`, { method, ...(body && { body }) });
      if (answer.status >= 300) return undefined;
      open.delete(name);
      written++;
      return answer.json<ConfigMap>();
    } catch {
      await sleep(20);
      return undefined;
    }
  };
  const noted = (object: ConfigMap | undefined): ConfigMap | undefined => {
    if (!object) return undefined;
    acknowledged.set(nameOf(object), versionOf(object));
    acknowledgedVersions.add(versionOf(object));
    return object;
  };
  /** Makes an object, changes it, deletes every third, and begins anew; what goes unanswered is left as it is. */
  const write = async (writer: number): Promise<void> => {
    for (let round = 0; !done; round++) {
      const name = `w${writer}-${round}`;
      const body: ConfigMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: contentOf("made") };
      const made = noted(await ask(name, "POST", body));
      const changed = made && noted(await ask(name, "PUT", { ...made, data: contentOf("changed") }));
      if (changed && round % 3 === 0 && (await ask(name, "DELETE"))) acknowledged.set(name, 0);
    }
  };
  const scale = async (replicas: number): Promise<void> => {
    const at = `${namespace}/replicationcontrollers/web`;
    await untilTrue(`scaled to ${replicas}`, async () => {
      const headers = { "content-type": "application/merge-patch+json" };
      return (await oneOf(clients).send(at, { method: "PATCH", body: { spec: { replicas } }, headers })).status === 200;
    });
  };

  beforeAll(
    async () => {
      fixture = await startTableServers(local.folder, count);
      const { path: cluster, token } = await createTenantCluster(fixture);
      clients = fixture.clients(cluster, token);
      const { metadata } = (await oneOf(clients).send(path)).json<{ metadata: { resourceVersion: string } }>();
      const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "main", image: "x" }] } };
      const web: ReplicationController = {
        ...{ apiVersion: "v1", kind: "ReplicationController", metadata: { name: "web" } },
        spec: { replicas: 0, selector: { app: "web" }, template },
      };
      expect((await oneOf(clients).send(`${namespace}/replicationcontrollers`, { method: "POST", body: web })).status).toBe(201);
      watching = seen.map((events) => watch(events, metadata.resourceVersion));
      const writing = Array.from({ length: writers }, (_, writer) => write(writer));
      for (let kill = 1; kill <= kills; kill++) {
        const goal = written + writesBetweenKills;
        await untilTrue("writes go on", async () => written >= goal, { withinSeconds: 60 });
        // In turn: whichever of them a watch is at, it is killed.
        const server = fixture.servers[kill % fixture.servers.length];
        if (!server) throw new Error("no server");
        const scaled = scale(kill);
        await server.kill("SIGKILL");
        await scaled;
        await server.restart();
      }
      done = true;
      await Promise.all(writing);
      const last: ConfigMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "last" }, data: contentOf("last") };
      await untilTrue("a last write", async () => noted(await ask("last", "POST", last)) !== undefined);
      await untilTrue("every watch shows it", async () => seen.every((events) => events.some(({ object }) => nameOf(object) === "last")));
    },
    kills * 60_000 + 240_000,
  );
  afterAll(async () => {
    end.abort();
    await Promise.all(watching);
    await fixture?.stop();
  });

  it("lose nothing that any of them acknowledged, and leave nothing half done", async () => {
    expect(acknowledged.size).toBeGreaterThan(kills * 5);
    for (const client of clients) {
      const items = await list(client);
      const found = new Map(items.map((item) => [nameOf(item), versionOf(item)]));
      const lost = [...acknowledged].filter(([name, version]) => {
        const now = found.get(name) ?? 0;
        return open.has(name) ? now !== 0 && now < version : now !== version;
      });
      expect(lost).toEqual([]);
      const unknown = items.filter((item) => !acknowledged.has(nameOf(item)) && !open.has(nameOf(item)));
      expect(unknown.map(nameOf)).toEqual([]);
      expect(items.filter((item) => !isWhole(item)).map(nameOf)).toEqual([]);
    }
  });

  it("agree on what there is", async () => {
    const shown = await Promise.all(clients.map(async (client) => (await list(client)).map((item) => [nameOf(item), versionOf(item)])));
    for (const each of shown) expect(each).toEqual(shown[0]);
  });

  it("let every watch go on with another of them without a gap, a repeat or a step back", async () => {
    expect(resumed).toBeGreaterThan(0);
    const stored = (await list(oneOf(clients))).map((item) => [nameOf(item), versionOf(item)]);
    for (const events of seen) {
      const versions = changes(events).map(({ object }) => versionOf(object));
      expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
      expect(versions).toEqual(changes(seen[0] ?? []).map(({ object }) => versionOf(object)));
      const replayed = new Map<string, number>();
      for (const { type, object } of changes(events)) {
        if (type === "DELETED") expect(replayed.delete(nameOf(object))).toBe(true);
        else expect(replayed.has(nameOf(object))).toBe(type === "MODIFIED");
        if (type !== "DELETED") replayed.set(nameOf(object), versionOf(object));
        expect(isWhole(object)).toBe(true);
      }
      expect([...replayed].sort()).toEqual(stored.sort());
      expect([...acknowledgedVersions].filter((version) => !versions.includes(version))).toEqual([]);
    }
  });

  it("finish with what one that was killed had begun: there are as many pods as were asked for last", async () => {
    await untilTrue(
      `${kills} pods`,
      async () => (await oneOf(clients).send(`${namespace}/pods`)).json<{ items: Pod[] }>().items.length === kills,
      { withinSeconds: 150 },
    );
  }, 170_000);
});
