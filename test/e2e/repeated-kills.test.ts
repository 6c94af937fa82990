import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConfigMap } from "../../shared/kubernetes/types.ts";
import { untilTrue } from "./eventually.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

interface WatchEvent {
  readonly type: string;
  readonly object: ConfigMap;
}

const path = "/api/v1/namespaces/default/configmaps";
/** CI takes a few; `CORACLE_KILLS=50` is the full size. */
const kills = Number(process.env.CORACLE_KILLS ?? 4);
const writers = 6;
const watches = 3;
const writesBetweenKills = 30;

describe(`a server that is killed ${kills} times under load`, () => {
  let server: ServerFixture;
  /** The newest acknowledged version of each object. */
  const acknowledged = new Map<string, number>();
  const seen: WatchEvent[][] = Array.from({ length: watches }, () => []);
  const end = new AbortController();
  let written = 0;
  let done = false;

  const versionOf = ({ metadata }: ConfigMap): number => Number(metadata.resourceVersion);

  /** Goes on from its last version, however often the server dies. */
  const watch = async (events: WatchEvent[], from: string): Promise<void> => {
    while (!end.signal.aborted) {
      const last = events.at(-1)?.object.metadata.resourceVersion ?? from;
      const query = `watch=true&resourceVersion=${last}&fieldSelector=metadata.name!%3Dkube-root-ca.crt`;
      try {
        for await (const line of server.api.lines(`${path}?${query}`, { signal: end.signal })) events.push(JSON.parse(line));
      } catch {
        await sleep(20);
      }
    }
  };

  /** Makes an object, changes it, and begins anew; what is cut off without an answer is left as it is. */
  const write = async (writer: number): Promise<void> => {
    for (let round = 0; !done; round++) {
      const name = `w${writer}-${round}`;
      const body: ConfigMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { round: String(round) } };
      try {
        const made = await server.api.send(path, { method: "POST", body });
        if (made.status !== 201) continue;
        acknowledged.set(name, versionOf(made.json<ConfigMap>()));
        written++;
        const changed = await server.api.send(`${path}/${name}`, {
          method: "PUT",
          body: { ...made.json<ConfigMap>(), data: { round: "changed" } },
        });
        if (changed.status !== 200) continue;
        acknowledged.set(name, versionOf(changed.json<ConfigMap>()));
        written++;
      } catch {
        await sleep(20);
      }
    }
  };

  beforeAll(
    async () => {
      server = await startServer();
      const { metadata } = (await server.api.send(path)).json<{ metadata: { resourceVersion: string } }>();
      const watching = seen.map((events) => watch(events, metadata.resourceVersion));
      const writing = Array.from({ length: writers }, (_, writer) => write(writer));
      for (let kill = 0; kill < kills; kill++) {
        const goal = written + writesBetweenKills;
        await untilTrue("writes go on", async () => written >= goal);
        await server.kill("SIGKILL");
        await server.restart();
      }
      done = true;
      await Promise.all(writing);
      const last = await server.api.send(path, {
        method: "POST",
        body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "last" } },
      });
      expect(last.status).toBe(201);
      await untilTrue("every watch shows the last object", async () =>
        seen.every((events) => events.at(-1)?.object.metadata.name === "last"),
      );
      end.abort();
      await Promise.all(watching);
    },
    kills * 15_000 + 60_000,
  );
  afterAll(() => server?.stop());

  it("keeps what it acknowledged, at that version or a newer one that went unanswered", async () => {
    expect(acknowledged.size).toBeGreaterThan(kills * 10);
    const { items } = (await server.api.send(path)).json<{ items: ConfigMap[] }>();
    const found = new Map(items.map((item) => [item.metadata.name ?? "", versionOf(item)]));
    const lost = [...acknowledged].filter(([name, version]) => (found.get(name) ?? 0) < version);
    expect(lost).toEqual([]);
  });

  it("lets every watch go on after each kill without a gap, a repeat or a step back", async () => {
    const { items } = (await server.api.send(path)).json<{ items: ConfigMap[] }>();
    const stored = items
      .filter(({ metadata }) => metadata.name !== "kube-root-ca.crt")
      .map((item) => [item.metadata.name, versionOf(item)]);
    for (const events of seen) {
      const versions = events.map(({ object }) => versionOf(object));
      expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
      expect(versions).toEqual(seen[0]?.map(({ object }) => versionOf(object)));
      const replayed = new Map(events.map(({ object }) => [object.metadata.name, versionOf(object)]));
      expect([...replayed].sort()).toEqual(stored.sort());
      for (const version of acknowledged.values()) expect(versions).toContain(version);
    }
  });
});
