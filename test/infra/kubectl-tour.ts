import { expect } from "vitest";
import { deployment } from "../e2e/manifests.ts";
import type { Cluster } from "./deployed.ts";

const configMap = (name: string, data: Record<string, string>) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data });

/** What a user does with kubectl in a day, each step with what it has to say. Needs ready nodes that run pods. */
export async function takeTour(cluster: Cluster): Promise<void> {
  const kubectl = async (args: string | readonly string[], stdin?: unknown): Promise<string> =>
    (await cluster.kubectl(args, stdin === undefined ? {} : { stdin: JSON.stringify(stdin) })).stdout.trim();
  const refused = async (args: string | readonly string[], stdin?: unknown): Promise<string> => {
    const options = { mayFail: true, ...(stdin !== undefined && { stdin: JSON.stringify(stdin) }) };
    const { code, stderr } = await cluster.kubectl(args, options);
    expect(code, stderr).toBe(1);
    return stderr;
  };

  await objects(kubectl, refused);
  await deployments(kubectl);
  await watchScale(cluster);
  expect(await kubectl("scale deployment tour --replicas=2")).toBe("deployment.apps/tour scaled");
  await kubectl("rollout restart deployment/tour");
  expect(await kubectl("rollout status deployment/tour --timeout=90s")).toContain("successfully rolled out");
  expect(await kubectl("rollout history deployment/tour")).toMatch(/^2 /m);
  await kubectl("wait --for=condition=Available deployment/tour --timeout=60s");
  expect(await kubectl("explain pod.spec.containers.image")).toMatch(/FIELD: image <string>/);
  expect(await kubectl("api-resources --api-group=apps -o name")).toContain("deployments.apps");
  expect(await kubectl("auth can-i create deployments")).toBe("yes");
  expect(await refused(["exec", "deployment/tour", "--", "date"])).toContain("this address holds no connections to nodes");
  expect(await kubectl("delete deployment tour")).toContain('deployment.apps "tour" deleted');
  await kubectl("wait --for=delete pod -l app=tour --timeout=60s");
  expect(await kubectl("get replicasets,pods -l app=tour -o name")).toBe("");
}

type Kubectl = (args: string | readonly string[], stdin?: unknown) => Promise<string>;

async function objects(kubectl: Kubectl, refused: Kubectl): Promise<void> {
  expect(await kubectl("create configmap made --from-literal=key=one")).toBe("configmap/made created");
  expect(await refused("create configmap made")).toContain('configmaps "made" already exists');
  expect(await kubectl("apply -f -", configMap("applied", { a: "1" }))).toBe("configmap/applied created");
  expect(await kubectl("apply -f -", configMap("applied", { a: "1" }))).toBe("configmap/applied unchanged");
  expect(await kubectl("apply -f -", configMap("applied", { b: "2" }))).toBe("configmap/applied configured");
  expect(await kubectl("get cm applied -o jsonpath={.data}")).toBe('{"b":"2"}');
  const serverSide = (manager: string): string => `apply --server-side --field-manager=${manager} -f -`;
  expect(await kubectl(serverSide("first"), configMap("shared", { a: "1" }))).toBe("configmap/shared serverside-applied");
  expect(await refused(serverSide("second"), configMap("shared", { a: "2" }))).toContain('conflict with "first": .data.a');
  await kubectl(`${serverSide("second")} --force-conflicts`, configMap("shared", { a: "2" }));
  await kubectl(["patch", "cm", "made", "--type=merge", "-p", '{"data":{"other":"two"}}']);
  await kubectl(["patch", "cm", "made", "--type=json", "-p", '[{"op":"remove","path":"/data/key"}]']);
  expect(await kubectl("get cm made -o jsonpath={.data}")).toBe('{"other":"two"}');
  await kubectl("label cm made shared tone=warm");
  await kubectl("label cm applied tone=cold");
  expect(await kubectl("get cm -l tone=warm -o name")).toBe("configmap/made\nconfigmap/shared");
  expect(await kubectl(["get", "cm", "-l", "tone notin (warm), tone", "-o", "name"])).toBe("configmap/applied");
  expect(await kubectl("get cm --field-selector metadata.name=made -o name")).toBe("configmap/made");
  expect(await kubectl("delete cm -l tone")).toContain('configmap "made" deleted');
  expect(await refused("get cm made")).toBe('Error from server (NotFound): configmaps "made" not found\n');
}

async function deployments(kubectl: Kubectl): Promise<void> {
  await kubectl("apply -f -", deployment({ name: "tour", replicas: 2 }));
  expect(await kubectl("rollout status deployment/tour --timeout=90s")).toContain("successfully rolled out");
  expect(await kubectl("get deployment tour")).toMatch(/^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\ntour +2\/2 +2 +2 +\S+$/);
  const pods = (await kubectl("get pods -l app=tour -o name")).split("\n");
  expect(pods).toHaveLength(2);
  const described = await kubectl(`describe ${pods[0]}`);
  for (const word of [/^Node: +hollow-\d/m, /^Status: +Running/m, /Scheduled.*Successfully assigned default\/tour-/])
    expect(described).toMatch(word);
}

/** `get -w` shows the number that was, and the new one when it comes. Of a list, whose watch has nothing to say at first: emulators cut one that has spoken. */
async function watchScale({ kubectl, api }: Cluster): Promise<void> {
  const before = Number((await kubectl("get deployment tour -o jsonpath={.spec.replicas}")).stdout);
  const listed = Promise.withResolvers<void>();
  const watching = kubectl(["get", "deployments", "-l", "app=tour", "-w", "-o", 'jsonpath={.spec.replicas}{"\\n"}'], {
    // Emulators cut answers that have fallen silent; where nobody does, the time ends it.
    mayFail: true,
    timeoutSeconds: 30,
    onOutput: () => listed.resolve(),
  });
  await listed.promise;
  // Not by kubectl, which takes as long to start as an emulator's watch may last.
  const scale = { method: "PATCH", body: { spec: { replicas: before + 1 } }, headers: { "content-type": "application/merge-patch+json" } };
  expect((await api.send("/apis/apps/v1/namespaces/default/deployments/tour/scale", scale)).status).toBe(200);
  const shown = (await watching).stdout.trim().split("\n").map(Number);
  expect([shown[0], shown.at(-1)]).toEqual([before, before + 1]);
}
