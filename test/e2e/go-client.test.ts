import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LmdbStore } from "../../shared/store/lmdb/lmdb-store.ts";
import { fetchGoClient } from "./clients/fetched.ts";
import { runCommand } from "./commands.ts";
import { untilTrue } from "./eventually.ts";
import { describeWith } from "./needs.ts";
import { type Following, follow } from "./processes.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

const client = await fetchGoClient();
const contentTypes = ["application/json", "application/vnd.kubernetes.protobuf"] as const;
const whatHolds = [
  ...["namespace", "typed objects", "informers", "metadata informers", "apply"],
  ...["conflicts", "leader election", "events", "dynamic objects"],
];

describeWith([client.need], "client-go", () => {
  it.each(contentTypes.flatMap((type) => [false, true].map((watchList) => [type, watchList] as const)))(
    "finds what controllers rely on: %s, lists by watching: %s",
    async (contentType, watchList) => {
      const server = await startServer();
      try {
        const { stdout, stderr } = await runCommand(client.path, ["check", contentType], {
          environment: { KUBECONFIG: server.kubeconfig, KUBE_FEATURE_WatchListClient: String(watchList) },
          timeoutSeconds: 150,
        });
        expect(stdout.trim().split("\n")).toEqual(whatHolds.map((name) => `ok ${name}`));
        expect(stderr, "no client had to fall back to something else").not.toMatch(/falling back to the standard LIST/);
      } finally {
        await server.stop();
      }
    },
  );
});

describeWith([client.need], "an informer of client-go whose place in the log is gone", () => {
  let server: ServerFixture;
  let informer: Following;
  beforeAll(async () => {
    server = await startServer();
    informer = follow(client.path, ["inform", "application/vnd.kubernetes.protobuf"], { KUBECONFIG: server.kubeconfig });
  });
  afterAll(async () => {
    informer?.stop();
    await informer?.ended;
    await server?.stop();
  });

  const hears = (line: string): Promise<true> => untilTrue(`the informer hears ${line}`, async () => informer.text().includes(`${line}\n`));
  const lists = (): number =>
    informer
      .text()
      .split("\n")
      .filter((line) => line.startsWith("list ")).length;

  it("is told so, lists again, and hears what it missed", async () => {
    const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "early" }, data: { value: "1" } };
    await server.api.send("/api/v1/namespaces/default/configmaps", { method: "POST", body: configMap });
    await hears("add early 1");
    expect(lists()).toBe(1);
    await server.kill("SIGTERM");
    await writeAndForget(join(server.dataDirectory, "store"));
    await server.restart();
    await hears("add behind 2");
    expect(lists(), "it had to list again").toBe(2);
  });
});

/** A change that no server sees, and a log that begins after it. */
async function writeAndForget(path: string): Promise<void> {
  const store = new LmdbStore({ path, now: () => Date.now() });
  const cluster = { tenant: "local", cluster: "default" };
  const key = { group: "", resource: "configmaps", namespace: "default", name: "behind" };
  const metadata = { name: "behind", namespace: "default", uid: "3f0b7a52-0000-4000-8000-000000000000" };
  const object = { kind: "ConfigMap", apiVersion: "v1", metadata, data: { value: "2" } };
  const [entry] = await store.commit(cluster, [{ kind: "put", key, expected: 0, object }]);
  await store.compact(cluster, entry?.revision ?? 0);
  await store.close();
}
