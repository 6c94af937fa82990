import { afterAll, beforeAll, expect, it } from "vitest";
import type { Pod } from "../../shared/kubernetes/types.ts";
import { type AgentKills, killAgents, phaseAfter, stateOf } from "./agent-kills.ts";
import { type ContainerdCluster, removeNetworks, startContainerdCluster } from "./containerd-cluster.ts";
import { bridgesOf, realContainerd, testImage } from "./containerd-fixture.ts";
import { image } from "./manifests.ts";
import { describeWith, type Need, needs } from "./needs.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

/** CI takes a few; `CORACLE_KILLS=20` is the full size. */
const kills = Number(process.env.CORACLE_KILLS ?? 4);
/** Containers take their time. */
const killsOfContainers = Math.ceil(kills / 4) + 2;

function suite(
  kills: number,
  mostRestarts: number,
  title: string,
  required: readonly Need[],
  start: () => Promise<{ server: ServerFixture; run: AgentKills; stop(): Promise<void> }>,
): void {
  describeWith(required, title, () => {
    let server: ServerFixture;
    let run: AgentKills;
    let stop: (() => Promise<void>) | undefined;

    beforeAll(
      async () => {
        ({ server, run, stop } = await start());
      },
      kills * 60_000 + 240_000,
    );
    afterAll(() => stop?.());

    const pods = async (): Promise<Map<string, Pod>> => {
      const { items } = (await server.api.send("/api/v1/namespaces/default/pods")).json<{ items: Pod[] }>();
      return new Map(items.map((pod) => [pod.metadata.name ?? "", pod]));
    };

    it("lost no pod, and shows each as it is", async () => {
      const found = await pods();
      const kept = run.made.filter(({ deleted }) => !deleted);
      expect(run.made.length).toBeGreaterThan(kills * 2);
      expect(run.made.length - kept.length).toBeGreaterThan(0);
      expect([...found.keys()].sort()).toEqual(kept.map(({ name }) => name).sort());
      for (const { name, exitCode } of kept) {
        const pod = found.get(name);
        const [status] = pod?.status?.containerStatuses ?? [];
        // A container that was made and not begun counts, as kubelet has it; so does one whose begin broke off with its agent (containerd's StartError).
        expect([name, (status?.restartCount ?? 9) <= mostRestarts]).toEqual([name, true]);
        if (mostRestarts === 0 || status?.lastState?.terminated?.reason !== "StartError")
          expect([name, status?.lastState]).toEqual([name, {}]);
        if (exitCode === undefined)
          expect([name, pod?.status?.phase, status?.state?.running === undefined]).toEqual([name, "Running", false]);
        else if (mostRestarts > 0 && status?.state?.terminated?.reason === "StartError")
          // Of a pod whose containers are not begun again that was the end.
          expect([name, pod?.spec?.restartPolicy, pod?.status?.phase]).toEqual([name, "Never", "Failed"]);
        else {
          expect([name, pod?.status?.phase]).toEqual([name, phaseAfter(exitCode)]);
          expect(status?.state?.terminated).toMatchObject({ exitCode, reason: exitCode === 0 ? "Completed" : "Error" });
        }
      }
      expect(new Set([...found.values()].map(({ spec }) => spec?.nodeName))).toEqual(new Set(run.nodes));
    });

    it("began each container once, and none of two places or after its deletion is at work", async () => {
      const found = await pods();
      for (const { name, ran, deleted } of run.made) {
        if (!ran && deleted) continue;
        const { terminated } = stateOf(found.get(name));
        // Whether one whose begin broke off with its agent had come to its first line nobody knows.
        const least = mostRestarts > 0 && terminated?.reason === "StartError" ? 0 : 1;
        const starts = await run.startsOf(name);
        expect([name, terminated, starts, starts >= least && starts <= 1]).toEqual([name, terminated, starts, true]);
      }
      const lasting = run.made.filter(({ exitCode }) => exitCode === undefined);
      const atWork = await Promise.all(lasting.map(async ({ name }) => [name, await run.isAtWork(name)]));
      expect(atWork).toEqual(lasting.map(({ name, deleted }) => [name, !deleted]));
    });

    it("never took back what it had said of a pod", () => {
      const order = ["Pending", "Running", "Succeeded", "Failed"];
      expect(run.events.length).toBeGreaterThan(run.made.length * 2);
      for (const { name } of run.made) {
        const seen = run.events.filter(({ object }) => object.metadata.name === name).map(({ object }) => object);
        const phases = seen.map(({ status }) => order.indexOf(status?.phase ?? ""));
        expect([name, phases]).toEqual([name, phases.toSorted((a, b) => a - b)]);
        // A begin that broke off with its agent is shown, and followed by another container's (above).
        const hasEnded = (pod: Pod): boolean => {
          const { terminated } = stateOf(pod);
          return terminated !== undefined && !(mostRestarts > 0 && terminated.reason === "StartError");
        };
        const begun = seen.filter((pod) => stateOf(pod).running !== undefined || hasEnded(pod));
        const containers = new Map(begun.map((pod) => [pod.status?.containerStatuses?.[0]?.containerID, stateOf(pod)]));
        expect([name, containers.size > 1 ? [...containers] : "one"]).toEqual([name, "one"]);
        const ended = seen.findIndex(hasEnded);
        if (ended >= 0) expect([name, seen.slice(ended).every(hasEnded)]).toEqual([name, true]);
        expect([name, new Set(seen.flatMap(({ spec }) => spec?.nodeName ?? [])).size]).toEqual([name, 1]);
      }
    });
  });
}

suite(kills, 0, `agents of processes that are killed ${kills} times under load`, [needs.sh, needs.linux], async () => {
  const server = await startServer();
  const run = await killAgents({ server, runtime: "process", image, kills, writers: 4 }).catch(async (error: unknown) => {
    await server.stop();
    throw error;
  });
  return {
    server,
    run,
    async stop() {
      await run.stop();
      await server.stop();
    },
  };
});

suite(killsOfContainers, 1, `agents of containers that are killed ${killsOfContainers} times under load`, [realContainerd], async () => {
  const cluster: ContainerdCluster = await startContainerdCluster({ nodes: 0 });
  const { server, containerd } = cluster;
  const run = await killAgents({ server, runtime: "containerd", image: testImage, kills: killsOfContainers, writers: 3 }).catch(
    async (error: unknown) => {
      await cluster.stop();
      throw error;
    },
  );
  return {
    server,
    run,
    async stop() {
      const bridges = await bridgesOf(containerd);
      await run.stop();
      await cluster.stop();
      await removeNetworks(run.places, bridges);
    },
  };
});
