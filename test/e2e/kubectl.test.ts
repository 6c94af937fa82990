import { spawn } from "node:child_process";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConfigMap, Deployment, Pod, Service } from "../../shared/kubernetes/types.ts";
import { untilTrue } from "./eventually.ts";
import { deployment, yamlOf } from "./manifests.ts";
import { describeWith, findKubectl, itWith, kubectlOf, kubectlVersions, needs } from "./needs.ts";
import { type ServerFixture, startServer, untilNodesAreReady } from "./server-fixture.ts";

const configMap = (name: string, value: string) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { key: value } });

describeWith([needs.kubectl], "kubectl against the embedded host with hollow nodes", () => {
  let server: ServerFixture;
  beforeAll(async () => {
    server = await startServer({ nodes: 2, runtime: "hollow" });
    await untilNodesAreReady(server, 2);
  });
  afterAll(() => server?.stop());

  const out = async (args: string | readonly string[], stdin?: string): Promise<string> =>
    (await server.kubectl(args, stdin === undefined ? {} : { stdin })).stdout.trim();

  describe("objects", () => {
    it("are created, shown, changed and deleted", async () => {
      expect(await out("create configmap made --from-literal=key=one")).toBe("configmap/made created");
      expect(await out("get configmap made -o jsonpath={.data.key}")).toBe("one");
      expect(await out("get cm made -o name")).toBe("configmap/made");
      expect(await out("get cm made -o yaml")).toContain("kind: ConfigMap");
      expect(await out("get cm made")).toMatch(/^NAME +DATA +AGE\nmade +1 +\d+s$/);
      expect(await out("delete cm made")).toBe('configmap "made" deleted');
      const absent = await server.kubectl("get cm made", { mayFail: true });
      expect(absent.stderr).toBe('Error from server (NotFound): configmaps "made" not found\n');
      const twice = await server.kubectl("create ns default", { mayFail: true });
      expect(twice.stderr).toContain('Error from server (AlreadyExists): namespaces "default" already exists');
    });

    it("are applied by the client, which prunes what its last manifest had", async () => {
      expect(await out("apply -f -", yamlOf(configMap("applied", "one")))).toBe("configmap/applied created");
      expect(await out("apply -f -", yamlOf(configMap("applied", "one")))).toBe("configmap/applied unchanged");
      const other = { ...configMap("applied", "one"), data: { other: "two" } };
      expect(await out("apply -f -", yamlOf(other))).toBe("configmap/applied configured");
      expect((await server.get<ConfigMap>("get cm applied")).data).toEqual({ other: "two" });
    });

    it("are applied by the server, which tells who owns a field that is in dispute", async () => {
      const manifest = (value: string) => yamlOf(configMap("ssa", value));
      expect(await out("apply --server-side --field-manager=first -f -", manifest("one"))).toBe("configmap/ssa serverside-applied");
      const conflict = await server.kubectl("apply --server-side --field-manager=second -f -", { stdin: manifest("two"), mayFail: true });
      expect(conflict.code).toBe(1);
      expect(conflict.stderr).toContain('conflict with "first": .data.key');
      await out("apply --server-side --field-manager=second --force-conflicts -f -", manifest("two"));
      expect((await server.get<ConfigMap>("get cm ssa")).data).toEqual({ key: "two" });
    });

    itWith([needs.diff], "are compared with a manifest by diff, without being changed", async () => {
      await out("apply -f -", yamlOf(configMap("compared", "one")));
      expect((await server.kubectl("diff -f -", { stdin: yamlOf(configMap("compared", "one")), mayFail: true })).code).toBe(0);
      const changed = await server.kubectl("diff -f -", { stdin: yamlOf(configMap("compared", "two")), mayFail: true });
      expect([changed.code, changed.stdout.includes("-  key: one"), changed.stdout.includes("+  key: two")]).toEqual([1, true, true]);
      expect((await server.get<ConfigMap>("get cm compared")).data).toEqual({ key: "one" });
    });

    it("are labelled, annotated and found by label and by field", async () => {
      for (const name of ["red", "green", "blue"]) await out(`create configmap colour-${name}`);
      await out("label cm colour-red colour-green tone=warm");
      await out("label cm colour-blue tone=cold");
      expect(await out("get cm -l tone=warm -o name")).toBe("configmap/colour-green\nconfigmap/colour-red");
      expect(await out(["get", "cm", "-l", "tone notin (warm), tone", "-o", "name"])).toBe("configmap/colour-blue");
      expect(await out("get cm --field-selector metadata.name=colour-red -o name")).toBe("configmap/colour-red");
      const refused = await server.kubectl("label cm colour-red tone=cold", { mayFail: true });
      expect(refused.stderr).toContain("already has a value (warm)");
      await out("label cm colour-red tone-");
      expect(await out("get cm -l tone=warm -o name")).toBe("configmap/colour-green");
      await out(["annotate", "cm", "colour-red", "note=some words"]);
      expect((await server.get<ConfigMap>("get cm colour-red")).metadata.annotations).toEqual({ note: "some words" });
      expect(await out("delete cm -l tone")).toBe('configmap "colour-blue" deleted\nconfigmap "colour-green" deleted');
    });

    it("are patched in three ways", async () => {
      await out("apply -f -", yamlOf(deployment({ name: "patched", replicas: 0 })));
      const strategic = { spec: { template: { spec: { containers: [{ name: "side", image: "side:1" }] } } } };
      await out(["patch", "deployment", "patched", "-p", JSON.stringify(strategic)]);
      await out(["patch", "deployment", "patched", "--type=merge", "-p", '{"metadata":{"labels":{"app":null,"kind":"merge"}}}']);
      await out([
        "patch",
        "deployment",
        "patched",
        "--type=json",
        "-p",
        '[{"op":"test","path":"/spec/replicas","value":0},{"op":"add","path":"/metadata/annotations/kind","value":"json"}]',
      ]);
      const found = await server.get<Deployment>("get deployment patched");
      expect(found.spec?.template.spec?.containers.map(({ name }) => name)).toEqual(["side", "main"]);
      expect(found.metadata.labels).toEqual({ kind: "merge" });
      expect(found.metadata.annotations?.kind).toBe("json");
      const failing = '[{"op":"test","path":"/spec/replicas","value":7}]';
      expect((await server.kubectl(["patch", "deployment", "patched", "--type=json", "-p", failing], { mayFail: true })).code).toBe(1);
    });

    it("are edited, and an edit that is not valid is refused", async () => {
      await out("apply -f -", yamlOf(configMap("edited", "before")));
      const editor = join(server.dataDirectory, "..", "editor.sh");
      await writeFile(editor, '#!/bin/sh\nsed -i "s/key: before/key: after/" "$1"\n');
      await chmod(editor, 0o700);
      const edited = await server.kubectl("edit cm edited", { environment: { EDITOR: editor } });
      expect(edited.stdout).toContain("configmap/edited edited");
      expect((await server.get<ConfigMap>("get cm edited")).data).toEqual({ key: "after" });
    });

    it("are checked: what has an unknown field, a wrong type or a bad value is refused with kubectl's words", async () => {
      const unknown = await server.kubectl("apply -f -", { stdin: yamlOf({ ...configMap("odd", "x"), dta: {} }), mayFail: true });
      expect(unknown.stderr).toContain('unknown field "dta"');
      const service = { apiVersion: "v1", kind: "Service", metadata: { name: "odd" }, spec: { ports: [{ port: 99999 }] } };
      const invalid = await server.kubectl("create -f -", { stdin: yamlOf(service), mayFail: true });
      expect(invalid.stderr).toMatch(/The Service "odd" is invalid: \n\* spec.ports\[0\].port: Invalid value: 99999: must be between/);
      const dryRun = await out("create deployment dry --image=x --dry-run=server -o name");
      expect(dryRun).toBe("deployment.apps/dry");
      expect((await server.kubectl("get deployment dry", { mayFail: true })).code).toBe(1);
    });

    it("come in pages and are all there", async () => {
      const many = Array.from({ length: 30 }, (_, index) => configMap(`page-${String(index).padStart(2, "0")}`, "x"));
      await out("create ns paged");
      await out("create -n paged -f -", yamlOf(...many));
      const names = (await out("get cm -n paged --chunk-size=7 -o name")).split("\n");
      expect(names).toHaveLength(31);
      expect(new Set(names).size).toBe(31);
    });

    it("are watched: every change arrives in order", async () => {
      const program = findKubectl() ?? "kubectl";
      const environment = { ...process.env, KUBECONFIG: server.kubeconfig };
      // A watch by name does not wait for an object that is absent.
      await out("create configmap watched --from-literal=key=1");
      const watch = spawn(
        program,
        ["get", "cm", "watched", "-w", "--output-watch-events", "-o", 'jsonpath={.type}{" "}{.object.data.key}{"\\n"}'],
        {
          env: environment,
          stdio: ["ignore", "pipe", "ignore"],
        },
      );
      try {
        let seen = "";
        watch.stdout.on("data", (chunk: Buffer) => {
          seen += chunk.toString();
        });
        await untilTrue("the watch shows the object", async () => seen.includes("ADDED 1") || watch.exitCode !== null);
        if (watch.exitCode !== null) throw new Error("kubectl get -w has ended");
        for (const value of ["2", "3"]) await out(["patch", "cm", "watched", "--type=merge", "-p", `{"data":{"key":"${value}"}}`]);
        await out("delete cm watched");
        await untilTrue("the watch shows the deletion", async () => seen.includes("DELETED"));
        expect(seen.trim().split("\n")).toEqual(["ADDED 1", "MODIFIED 2", "MODIFIED 3", "DELETED 3"]);
      } finally {
        watch.kill("SIGKILL");
      }
    });

    it("can be waited for, and waiting has an end", async () => {
      await out("run waited --image=x");
      expect(await out("wait --for=condition=Ready pod/waited --timeout=30s")).toBe("pod/waited condition met");
      const never = await server.kubectl("wait --for=condition=Never pod/waited --timeout=1s", { mayFail: true });
      expect([never.code, never.stderr]).toEqual([1, "error: timed out waiting for the condition on pods/waited\n"]);
      await out("delete pod waited --wait=false");
      await out("wait --for=delete pod/waited --timeout=60s");
    });
  });

  describe("workloads", () => {
    it("roll out, stop rolling, go on, go back and start again", async () => {
      await out("create deployment web --image=app:1 --replicas=2");
      await out("rollout status deployment/web --timeout=60s");
      await out("set image deployment/web app=app:2");
      await out("rollout status deployment/web --timeout=60s");
      expect((await out("rollout history deployment/web")).split("\n").slice(-2)).toEqual([
        expect.stringMatching(/^1 /),
        expect.stringMatching(/^2 /),
      ]);
      expect(await out("rollout pause deployment/web")).toBe("deployment.apps/web paused");
      await out("set image deployment/web app=app:3");
      const replicaSets = async () => (await out("get rs -l app=web -o name")).split("\n").length;
      expect(await replicaSets()).toBe(2);
      await out("rollout resume deployment/web");
      await out("rollout status deployment/web --timeout=60s");
      expect(await replicaSets()).toBe(3);
      await out("rollout undo deployment/web --to-revision=1");
      await out("rollout status deployment/web --timeout=60s");
      expect(await out("get deployment web -o jsonpath={.spec.template.spec.containers[0].image}")).toBe("app:1");
      await out("rollout restart deployment/web");
      await out("rollout status deployment/web --timeout=60s");
      expect(await out("get deployment web")).toMatch(/web +2\/2 +2 +2 /);
    });

    it("are scaled, with the number that is expected checked", async () => {
      await out("create deployment scaled --image=x --replicas=1");
      expect(await out("scale deployment scaled --replicas=3")).toBe("deployment.apps/scaled scaled");
      expect((await server.kubectl("scale deployment scaled --current-replicas=9 --replicas=1", { mayFail: true })).code).toBe(1);
      await out("wait deployment/scaled --for=jsonpath={.status.readyReplicas}=3 --timeout=60s");
      await out("scale deployment scaled --replicas=1");
      await out("wait deployment/scaled --for=jsonpath={.status.replicas}=1 --timeout=60s");
    });

    it("are described with their events, and events are listed", async () => {
      await out("run described --image=x");
      await out("wait --for=condition=Ready pod/described --timeout=30s");
      await untilTrue("the pod has events", async () => (await out("describe pod described")).includes("Scheduled"));
      const text = await out("describe pod described");
      expect(text).toMatch(/Status: +Running/);
      expect(text).toContain("kube-api-access-");
      expect(await out("get events --field-selector involvedObject.name=described,reason=Scheduled")).toContain("Successfully assigned");
      expect(await out("events --for pod/described")).toContain("Scheduled");
      expect(await out("describe node default-0")).toMatch(/Allocated resources:/);
      expect(await out("describe deployment web")).toContain("StrategyType:");
    });

    it("are exposed by a service with endpoints", async () => {
      await out("create deployment exposed --image=x --replicas=2");
      expect(await out("expose deployment exposed --port=80 --target-port=8080")).toBe("service/exposed exposed");
      await out("rollout status deployment/exposed --timeout=60s");
      const service = await server.get<Service>("get service exposed");
      expect(service.spec?.clusterIP).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
      await untilTrue("two endpoints", async () => (await out("describe service exposed")).match(/Endpoints: +\S+:8080,\S+:8080/) !== null);
    });

    it("have no logs on a node that runs nothing, which kubectl says politely", async () => {
      await out("run silent --image=x");
      await out("wait --for=condition=Ready pod/silent --timeout=30s");
      const logs = await server.kubectl("logs silent", { mayFail: true });
      expect(logs.stderr + logs.stdout).not.toContain("panic");
      expect(logs.stderr).not.toMatch(/InternalError|an error on the server \("unknown"\)/);
    });

    it("leave a node that is drained and come back when it is not", async () => {
      await out("create deployment moving --image=x --replicas=4");
      await out("rollout status deployment/moving --timeout=60s");
      expect(await out("cordon default-1")).toBe("node/default-1 cordoned");
      expect(await out("get node default-1")).toContain("Ready,SchedulingDisabled");
      const drained = await server.kubectl("drain default-1 --force --ignore-daemonsets --delete-emptydir-data --timeout=90s");
      expect(drained.stdout).toContain("node/default-1 drained");
      const onNode = await server.get<{ items: Pod[] }>("get pods -A --field-selector spec.nodeName=default-1");
      expect(onNode.items.filter(({ metadata }) => metadata.deletionTimestamp === undefined)).toEqual([]);
      await out("rollout status deployment/moving --timeout=60s");
      expect(await out("uncordon default-1")).toBe("node/default-1 uncordoned");
      await out("scale deployment moving --replicas=8");
      await out("rollout status deployment/moving --timeout=60s");
      const back = await server.get<{ items: Pod[] }>("get pods -l app=moving --field-selector spec.nodeName=default-1");
      expect(back.items.length).toBeGreaterThan(0);
    });
  });

  describe("the cluster", () => {
    it("lists its resources and explains them", async () => {
      const resources = await out("api-resources --no-headers");
      for (const name of ["pods", "deployments", "cronjobs", "customresourcedefinitions", "leases", "endpointslices"]) {
        expect(resources).toMatch(new RegExp(`^${name} `, "m"));
      }
      expect(await out("api-versions")).toContain("apps/v1");
      expect(await out("explain deployment.spec.strategy")).toMatch(/KIND: +Deployment/);
      expect(await out("explain pod --recursive")).toContain("terminationGracePeriodSeconds");
    });

    it("says who may do what", async () => {
      expect(await out("auth can-i delete nodes")).toBe("yes");
      const asNobody = await server.kubectl("auth can-i delete nodes --as nobody", { mayFail: true });
      expect([asNobody.code, asNobody.stdout.trim()]).toEqual([1, "no"]);
      expect(await out("auth whoami -o jsonpath={.status.userInfo.username}")).toBe("kubernetes-admin");
      await out("create role reader --verb=get,list --resource=configmaps");
      await out("create rolebinding reader --role=reader --user=ada");
      expect(await out("auth can-i list configmaps --as ada")).toBe("yes");
      const refused = await server.kubectl("get secrets --as ada", { mayFail: true });
      expect(refused.stderr).toContain(
        'secrets is forbidden: User "ada" cannot list resource "secrets" in API group "" in the namespace "default"',
      );
    });

    it("gives a service account a token that works, and only for what it may", async () => {
      await out("create serviceaccount robot");
      const token = await out("create token robot --duration=10m");
      expect(token.split(".")).toHaveLength(3);
      const who = await server.kubectl(["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}", `--token=${token}`]);
      expect(who.stdout).toBe("system:serviceaccount:default:robot");
      const refused = await server.kubectl(["get", "pods", `--token=${token}`], { mayFail: true });
      expect(refused.stderr).toContain("Forbidden");
    });

    it("answers raw requests, and says that there are no metrics", async () => {
      expect(await out("get --raw /readyz")).toBe("ok");
      expect(JSON.parse(await out("get --raw /apis/apps/v1")).kind).toBe("APIResourceList");
      const top = await server.kubectl("top nodes", { mayFail: true });
      expect([top.code, top.stderr]).toEqual([1, "error: Metrics API not available\n"]);
      expect(await out("cluster-info")).toContain("is running at");
    });
  });

  describe("every version of kubectl from 1.27 on", () => {
    for (const version of kubectlVersions) {
      itWith([kubectlOf(version)], `${version} creates, applies, shows, rolls out and deletes`, async () => {
        const namespace = `v${version.replace(".", "-")}`;
        const kubectl = async (args: string, stdin?: string): Promise<string> =>
          (await server.kubectl(`-n ${namespace} ${args}`, { version, ...(stdin !== undefined && { stdin }) })).stdout.trim();
        expect(await kubectl("version")).toMatch(/Server Version:.*v1\.33\./);
        await kubectl(`create ns ${namespace}`);
        await kubectl("create configmap made --from-literal=a=b");
        await kubectl("apply -f -", yamlOf(deployment({ name: "web", replicas: 1 })));
        await kubectl("apply --server-side -f -", yamlOf(configMap("ssa", version)));
        await kubectl("rollout status deployment/web --timeout=60s");
        expect(await kubectl("get deploy,cm -o name")).toContain("deployment.apps/web\nconfigmap/kube-root-ca.crt\nconfigmap/made");
        expect(await kubectl("get pods -l app=web")).toMatch(/^NAME +READY +STATUS/);
        expect(await kubectl("explain configmap.data")).toContain("ConfigMap");
        expect(await kubectl("describe deployment web")).toContain("web");
        await kubectl("delete deployment web");
        await kubectl(`delete ns ${namespace} --wait=false`);
      });
    }
  });
});
