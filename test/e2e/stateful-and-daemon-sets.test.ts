import { afterAll, beforeAll, expect, it } from "vitest";
import type { ControllerRevision, DaemonSet, Pod, StatefulSet } from "../../shared/kubernetes/types.ts";
import { untilTrue } from "./eventually.ts";
import { image, yamlOf } from "./manifests.ts";
import { describeWith, needs } from "./needs.ts";
import { type ServerFixture, startServer, untilNodesAreReady } from "./server-fixture.ts";

const template = (name: string) => ({ metadata: { labels: { app: name } }, spec: { containers: [{ name: "main", image }] } });
const manifest = (kind: string, name: string, spec: object) =>
  yamlOf({
    apiVersion: "apps/v1",
    kind,
    metadata: { name },
    spec: { selector: { matchLabels: { app: name } }, template: template(name), ...spec },
  });

describeWith([needs.kubectl], "stateful and daemon sets by kubectl, on hollow nodes", () => {
  let server: ServerFixture;
  beforeAll(async () => {
    server = await startServer({ nodes: 3, runtime: "hollow" });
    await untilNodesAreReady(server, 3);
  });
  afterAll(() => server?.stop());

  const out = async (args: string | readonly string[], stdin?: string): Promise<string> =>
    (await server.kubectl(args, stdin === undefined ? {} : { stdin })).stdout.trim();
  const podsOf = async (name: string): Promise<Pod[]> =>
    (await server.get<{ items: Pod[] }>(`get pods -l app=${name}`)).items.filter(
      ({ metadata }) => metadata.deletionTimestamp === undefined,
    );
  const images = async (name: string): Promise<Set<string | undefined>> =>
    new Set((await podsOf(name)).map(({ spec }) => spec?.containers[0]?.image));

  it("a StatefulSet is rolled out, updated, undone, restarted, scaled and deleted", async () => {
    await out("apply -f -", manifest("StatefulSet", "db", { replicas: 3, serviceName: "db" }));
    await out("rollout status statefulset/db --timeout=90s");
    expect(await out("get pods -l app=db -o name")).toBe("pod/db-0\npod/db-1\npod/db-2");
    expect(await out("get statefulset db")).toMatch(/^NAME +READY +AGE\ndb +3\/3 +\d+s$/);
    expect(await out("set image statefulset/db main=other:1")).toBe("statefulset.apps/db image updated");
    await out("rollout status statefulset/db --timeout=90s");
    expect(await images("db")).toEqual(new Set(["other:1"]));
    expect((await out("rollout history statefulset/db")).split("\n").slice(-2)).toEqual(["1         <none>", "2         <none>"]);
    expect(await out("rollout history statefulset/db --revision=1")).toContain(image);
    expect(await out("rollout undo statefulset/db")).toBe("statefulset.apps/db rolled back");
    await out("rollout status statefulset/db --timeout=90s");
    expect(await images("db")).toEqual(new Set([image]));
    expect((await out("rollout history statefulset/db")).split("\n").slice(-2)).toEqual(["2         <none>", "3         <none>"]);
    // kubectl compares what the revision keeps with its own encoding of the set, byte by byte.
    expect(await out("rollout undo statefulset/db --to-revision=3")).toContain("skipped rollback");
    await out("rollout restart statefulset/db");
    await out("rollout status statefulset/db --timeout=90s");
    await out("scale statefulset db --replicas=1");
    await untilTrue("one pod is left", async () => (await podsOf("db")).length === 1);
    const described = await out("describe statefulset db");
    expect(described).toContain("Pods Status:        1 Running / 0 Waiting / 0 Succeeded / 0 Failed");
    expect(described).toContain("create Pod db-0 in StatefulSet db successful");
    const { status } = await server.get<StatefulSet>("get statefulset db");
    expect(status).toMatchObject({ replicas: 1, availableReplicas: 1, currentRevision: status?.updateRevision });
    await out("delete statefulset db");
    await untilTrue("its pods and revisions are gone", async () => {
      const revisions = (await server.get<{ items: ControllerRevision[] }>("get controllerrevisions -l app=db")).items;
      return revisions.length === 0 && (await podsOf("db")).length === 0;
    });
  }, 300_000);

  it("a DaemonSet runs on every node, also one that is drained, and is updated, undone and restarted", async () => {
    await out("apply -f -", manifest("DaemonSet", "logs", {}));
    await out("rollout status daemonset/logs --timeout=90s");
    expect(new Set((await podsOf("logs")).map(({ spec }) => spec?.nodeName))).toEqual(new Set(["default-0", "default-1", "default-2"]));
    await out("set image daemonset/logs main=other:1");
    await out("rollout status daemonset/logs --timeout=90s");
    expect(await images("logs")).toEqual(new Set(["other:1"]));
    expect((await out("rollout history daemonset/logs")).split("\n").slice(-2)).toEqual(["1         <none>", "2         <none>"]);
    expect(await out("rollout undo daemonset/logs")).toBe("daemonset.apps/logs rolled back");
    await out("rollout status daemonset/logs --timeout=90s");
    expect(await images("logs")).toEqual(new Set([image]));
    expect((await out("rollout history daemonset/logs")).split("\n").slice(-2)).toEqual(["2         <none>", "3         <none>"]);
    expect(await out("rollout undo daemonset/logs --to-revision=3")).toContain("skipped rollback");
    await out("rollout restart daemonset/logs");
    await out("rollout status daemonset/logs --timeout=90s");

    const refused = await server.kubectl("drain default-0", { mayFail: true });
    expect(refused.stderr).toContain("cannot delete DaemonSet-managed Pods");
    expect(await out("drain default-0 --ignore-daemonsets --timeout=60s")).toContain("node/default-0 drained");
    const [onDrained] = (await podsOf("logs")).filter(({ spec }) => spec?.nodeName === "default-0");
    await out(`delete pod ${onDrained?.metadata.name}`);
    await untilTrue("the drained node has its pod again", async () => {
      const { status } = await server.get<DaemonSet>("get daemonset logs");
      return status?.numberAvailable === 3 && (await podsOf("logs")).every(({ metadata }) => metadata.name !== onDrained?.metadata.name);
    });
    await out("label node default-1 kind=special");
    await out(["patch", "daemonset", "logs", "-p", '{"spec":{"template":{"spec":{"nodeSelector":{"kind":"special"}}}}}']);
    await untilTrue("it runs on the labelled node alone", async () => {
      const all = await podsOf("logs");
      return all.length === 1 && all[0]?.spec?.nodeName === "default-1";
    });
    expect(await out("get daemonset logs")).toMatch(/logs +1 +1 +1 +1 +1 +kind=special +\d+[sm]/);
    expect(await out("describe daemonset logs")).toContain("Desired Number of Nodes Scheduled: 1");
    await out("delete daemonset logs");
    await untilTrue("its pods are gone", async () => (await podsOf("logs")).length === 0);
  }, 300_000);
});
