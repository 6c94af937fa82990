import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ConfigMap, Deployment, Secret } from "../../shared/kubernetes/types.ts";
import { fetchHelm, helmVersions } from "./clients/fetched.ts";
import { type CommandResult, runCommand, wordsOf } from "./commands.ts";
import { untilTrue } from "./eventually.ts";
import { describeWith, needs } from "./needs.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

const chart = join(import.meta.dirname, "clients", "chart");
const core = "/api/v1/namespaces/default";
const lamps = "/apis/helm.example.com/v1/namespaces/default/lamps";

for (const version of helmVersions) {
  const program = await fetchHelm(version);
  describeWith([program.need, needs.sh, needs.linux], `Helm ${version} and a chart with a definition, hooks and a workload`, () => {
    let server: ServerFixture;
    beforeAll(async () => {
      server = await startServer({ nodes: 1, runtime: "process" });
    });
    afterAll(() => server?.stop());

    const run = (args: string, mayFail = false): Promise<CommandResult> =>
      runCommand(program.path, wordsOf(args), {
        environment: { KUBECONFIG: server.kubeconfig, HOME: join(server.dataDirectory, "..") },
        timeoutSeconds: 150,
        mayFail,
      });
    const helm = async (args: string): Promise<string> => (await run(args)).stdout;
    const read = async <T>(path: string): Promise<T> => (await server.api.send(path)).json<T>();
    const statusOf = async (path: string): Promise<number> => (await server.api.send(path)).status;
    const colours = async (): Promise<unknown[]> => [
      (await read<ConfigMap>(`${core}/configmaps/web-settings`)).data?.colour,
      (await read<{ spec: { colour: string } }>(`${lamps}/web`)).spec.colour,
    ];
    const workload = async (): Promise<unknown[]> => {
      const { spec, status } = await read<Deployment>("/apis/apps/v1/namespaces/default/deployments/web");
      return [spec?.replicas, status?.readyReplicas];
    };
    const history = async (): Promise<string[]> =>
      JSON.parse(await helm("history web -o json")).map(
        ({ revision, status, description }: Record<string, unknown>) => `${revision} ${status} ${description}`,
      );

    it("installs it, waits for it, and knows it by name", async () => {
      const installed = await helm(`install web ${chart} --wait --timeout 90s`);
      expect(installed).toMatch(/STATUS: deployed\nREVISION: 1\n/);
      expect(installed).toContain("web is red on 1.33.");
      expect(await workload()).toEqual([1, 1]);
      expect(await colours()).toEqual(["red", "red"]);
      expect((await read<ConfigMap>(`${core}/configmaps/web-before`)).data).toEqual({ revision: "1" });
      expect(await statusOf(`${core}/pods/web-after`), "the hook that has succeeded is gone").toBe(404);
      expect(JSON.parse(await helm("list -o json"))).toMatchObject([
        { name: "web", revision: "1", status: "deployed", chart: "lamps-0.1.0" },
      ]);
      expect(JSON.parse(await helm("status web -o json"))).toMatchObject({ name: "web", version: 1, info: { status: "deployed" } });
      const [release] = (await read<{ items: Secret[] }>(`${core}/secrets?labelSelector=owner=helm,name=web`)).items;
      expect([release?.type, release?.metadata.name]).toEqual(["helm.sh/release.v1", "sh.helm.release.v1.web.v1"]);
      const { metadata } = await read<Deployment>("/apis/apps/v1/namespaces/default/deployments/web");
      const operation = version.startsWith("3") ? "Update" : "Apply";
      expect(metadata.managedFields).toContainEqual(expect.objectContaining({ manager: "helm", operation }));
      const again = await run(`install web ${chart}`, true);
      expect(again.stderr).toMatch(/cannot re-?use a name that is still in use/);
      expect(await helm("test web --timeout 60s")).toMatch(/Phase: +Succeeded/);
    });

    it("upgrades it, and goes back by itself from an upgrade that the cluster refuses", async () => {
      expect(await helm(`upgrade web ${chart} --set colour=blue,replicas=2 --wait --timeout 90s`)).toMatch(/REVISION: 2\n/);
      expect(await workload()).toEqual([2, 2]);
      expect(await colours()).toEqual(["blue", "blue"]);
      const refused = await run(`upgrade web ${chart} --set colour=green,size=0 --atomic --timeout 90s`, true);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain('Lamp.helm.example.com "web" is invalid: spec.size: Invalid value: 0');
      expect(await colours()).toEqual(["blue", "blue"]);
      expect((await history()).map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual([
        "1 superseded",
        "2 superseded",
        "3 failed",
        "4 deployed",
      ]);
    });

    it("rolls it back to its first revision", async () => {
      expect(await helm("rollback web 1 --wait --timeout 90s")).toContain("Rollback was a success");
      expect(await colours()).toEqual(["red", "red"]);
      expect(await workload()).toEqual([1, 1]);
      expect((await history()).at(-1)).toBe("5 deployed Rollback to 1");
      expect((await read<ConfigMap>(`${core}/configmaps/web-before`)).data).toEqual({ revision: "1" });
    });

    it("keeps a release of half a megabyte of values", async () => {
      const values = join(server.dataDirectory, "..", "large.yaml");
      const large = randomBytes(380_000).toString("base64");
      await writeFile(values, `large: ${large}\n`);
      await helm(`upgrade web ${chart} -f ${values} --no-hooks`);
      expect(JSON.parse(await helm("get values web -o json"))).toEqual({ large });
    });

    it("uninstalls it and leaves the definition, as Helm does", async () => {
      expect(await helm("uninstall web --wait --timeout 90s")).toContain('release "web" uninstalled');
      expect(JSON.parse(await helm("list -o json"))).toEqual([]);
      expect((await read<{ items: Secret[] }>(`${core}/secrets?labelSelector=owner=helm`)).items).toEqual([]);
      expect((await read<{ items: unknown[] }>(lamps)).items).toEqual([]);
      expect(await statusOf("/apis/apps/v1/namespaces/default/deployments/web")).toBe(404);
      await untilTrue(
        "its pods are gone",
        async () => (await read<{ items: unknown[] }>(`${core}/pods?labelSelector=app=web`)).items.length === 0,
      );
      expect(await statusOf("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/lamps.helm.example.com")).toBe(200);
    });
  });
}
