import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ContainerStatus, EndpointSlice, Endpoints, Pod } from "../../shared/kubernetes/types.ts";
import { freePort } from "../free-port.ts";
import { clientInside } from "./clients/inside.ts";
import { eventually, untilTrue } from "./eventually.ts";
import { deployment, image, shellPod, yamlOf } from "./manifests.ts";
import { describeWith, findKubectl, needs } from "./needs.ts";
import { follow, isRunning } from "./processes.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

/** Without kubectl's client cache in the way: what the API says now. */
interface PodStatusView {
  readonly pod: Pod;
  readonly status: ContainerStatus | undefined;
}

const forever = "trap 'exit 0' TERM; while :; do sleep 0.1; done";

describeWith([needs.kubectl, needs.sh, needs.linux], "pods as processes of the machine", () => {
  let server: ServerFixture;
  let scratch: string;
  beforeAll(async () => {
    server = await startServer({ nodes: 1, runtime: "process" });
    scratch = join(server.dataDirectory, "..", "scratch");
    await mkdir(scratch);
    await server.kubectl("wait --for=create node/default-0 --timeout=60s");
    await server.kubectl("wait --for=condition=Ready node/default-0 --timeout=60s");
    await server.kubectl("wait --for=create serviceaccount/default --timeout=60s");
  });
  afterAll(() => server?.stop());

  const create = (...objects: object[]) => server.kubectl("create -f -", { stdin: yamlOf(...objects) });
  const look = async (name: string, namespace = "default"): Promise<PodStatusView> => {
    const answer = await server.api.send(`/api/v1/namespaces/${namespace}/pods/${name}`);
    if (answer.status !== 200) throw new Error(answer.text);
    const pod = answer.json<Pod>();
    return { pod, status: pod.status?.containerStatuses?.[0] };
  };
  const list = async (selector: string, namespace = "default"): Promise<Pod[]> =>
    (await server.api.send(`/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(selector)}`)).json<{ items: Pod[] }>()
      .items;
  const until = (name: string, what: string, holds: (view: PodStatusView) => boolean, withinSeconds = 30): Promise<PodStatusView> =>
    eventually(
      `pod ${name} ${what}`,
      async () => {
        const view = await look(name);
        if (holds(view)) return view;
        throw new Error(JSON.stringify(view.pod.status));
      },
      { withinSeconds, everyMs: 100 },
    );
  const phase = (name: string, wanted: string, withinSeconds?: number) =>
    until(name, `becomes ${wanted}`, ({ pod }) => pod.status?.phase === wanted, withinSeconds);
  const isGone = async (name: string): Promise<boolean> =>
    (await server.api.send(`/api/v1/namespaces/default/pods/${name}`)).status === 404;
  const gone = (name: string) => untilTrue(`pod ${name} is gone`, () => isGone(name), { everyMs: 100 });
  const logs = async (name: string, options = ""): Promise<string> => (await server.kubectl(`logs ${name} ${options}`)).stdout;
  const logged = (name: string, pattern: RegExp): Promise<RegExpExecArray> =>
    eventually(`${name} logs ${pattern}`, async () => pattern.exec(await logs(name)) ?? undefined);

  describe("what a container is given", () => {
    it("its environment comes of literals, ConfigMaps, Secrets, fields and other variables", async () => {
      await server.kubectl("create configmap settings --from-literal=colour=green --from-literal=SIZE=9");
      await server.kubectl("create secret generic hidden --from-literal=word=sesame");
      const script = 'echo "$PLAIN|$COLOUR|$WORD|$POD|$NODE|$SIZE|$JOINED|$CPU|$OPTIONAL|$1"';
      const pod = shellPod(
        "environment",
        script,
        {
          args: ["arg0", "$(PLAIN)-arg"],
          env: [
            { name: "PLAIN", value: "plain" },
            { name: "COLOUR", valueFrom: { configMapKeyRef: { name: "settings", key: "colour" } } },
            { name: "WORD", valueFrom: { secretKeyRef: { name: "hidden", key: "word" } } },
            { name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
            { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
            { name: "CPU", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "1m" } } },
            { name: "OPTIONAL", valueFrom: { configMapKeyRef: { name: "absent", key: "x", optional: true } } },
            { name: "JOINED", value: "$(PLAIN)+$(WORD)+$$(PLAIN)" },
          ],
          envFrom: [{ configMapRef: { name: "settings" } }],
          resources: { limits: { cpu: "250m" } },
        },
        { restartPolicy: "Never" },
      );
      await create(pod);
      await phase("environment", "Succeeded");
      expect(await logs("environment")).toBe("plain|green|sesame|environment|default-0|9|plain+sesame+$(PLAIN)|250||plain-arg\n");
    });

    it("its volumes hold ConfigMaps, Secrets, fields and what containers of the pod share", async () => {
      await server.kubectl("create configmap files --from-literal=one=1 --from-literal=two=2");
      await server.kubectl("create secret generic keys --from-literal=key=secret");
      const mounts = [
        { name: "files", mountPath: "/e2e/files" },
        { name: "keys", mountPath: "/e2e/keys", readOnly: true },
        { name: "fields", mountPath: "/e2e/fields" },
        { name: "shared", mountPath: "/e2e/shared" },
      ];
      const pod = shellPod("volumes", forever, { volumeMounts: mounts, name: "main" }, { restartPolicy: "Never" });
      const reader =
        "cat $D/files/one $D/keys/key $D/fields/labels; ls $D/files; (echo x > $D/keys/key) 2>/dev/null || echo read-only; echo written > $D/shared/note";
      await create({
        ...pod,
        spec: {
          ...pod.spec,
          volumes: [
            { name: "files", configMap: { name: "files", items: [{ key: "one", path: "one", mode: 0o400 }] } },
            { name: "keys", secret: { secretName: "keys" } },
            { name: "fields", downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } },
            { name: "shared", emptyDir: {} },
          ],
          containers: [
            { name: "main", image, command: ["sh", "-c", reader.replaceAll("$D", "/e2e")], volumeMounts: mounts },
            {
              name: "other",
              image,
              command: ["sh", "-c", "until [ -f /e2e/shared/note ]; do sleep 0.1; done; cat /e2e/shared/note"],
              volumeMounts: mounts,
            },
          ],
        },
      });
      await phase("volumes", "Succeeded");
      expect(await logs("volumes", "-c main")).toBe('1secretapp="volumes"one\nread-only\n');
      expect(await logs("volumes", "-c other")).toBe("written\n");
    });

    it("a ConfigMap that changes changes in a running pod", async () => {
      await server.kubectl("create configmap live --from-literal=value=old");
      const pod = shellPod("live", "while ! grep -q new /e2e/live/value; do sleep 0.1; done; echo seen", {
        volumeMounts: [{ name: "live", mountPath: "/e2e/live" }],
      });
      await create({ ...pod, spec: { ...pod.spec, restartPolicy: "Never", volumes: [{ name: "live", configMap: { name: "live" } }] } });
      await phase("live", "Running");
      await server.kubectl(["patch", "cm", "live", "-p", '{"data":{"value":"new"}}']);
      await phase("live", "Succeeded", 60);
      expect(await logs("live")).toBe("seen\n");
    });

    it("waits for a ConfigMap that is not there yet, and says so", async () => {
      await create(
        shellPod(
          "early",
          "echo $V",
          { env: [{ name: "V", valueFrom: { configMapKeyRef: { name: "late", key: "v" } } }] },
          { restartPolicy: "Never" },
        ),
      );
      await until("early", "waits", ({ status }) => status?.state?.waiting?.reason === "CreateContainerConfigError");
      await server.kubectl("create configmap late --from-literal=v=arrived");
      await phase("early", "Succeeded", 60);
      expect(await logs("early")).toBe("arrived\n");
    });
  });

  describe("its life", () => {
    it("init containers run one after the other before the others", async () => {
      const pod = shellPod("phases", "cat /e2e/order", { volumeMounts: [{ name: "work", mountPath: "/e2e" }] }, { restartPolicy: "Never" });
      const step = (name: string) => ({
        name,
        image,
        command: ["sh", "-c", `echo ${name} >> /e2e/order`],
        volumeMounts: [{ name: "work", mountPath: "/e2e" }],
      });
      await create({
        ...pod,
        spec: { ...pod.spec, volumes: [{ name: "work", emptyDir: {} }], initContainers: [step("first"), step("second")] },
      });
      await phase("phases", "Succeeded");
      expect(await logs("phases")).toBe("first\nsecond\n");
    });

    it("a failing init container keeps a pod that never restarts from starting", async () => {
      const pod = shellPod("unready", "echo never", {}, { restartPolicy: "Never" });
      await create({ ...pod, spec: { ...pod.spec, initContainers: [{ name: "init", image, command: ["sh", "-c", "exit 4"] }] } });
      const { pod: failed } = await phase("unready", "Failed");
      expect(failed.status?.initContainerStatuses?.[0]?.state?.terminated?.exitCode).toBe(4);
    });

    it("its exit code, reason and last words are kept", async () => {
      await create(
        shellPod("code", "echo why > /dev/termination-log; exit 7", {}, { restartPolicy: "Never" }),
        shellPod("absent", "", { command: ["/no/such/program"] }, { restartPolicy: "Never" }),
      );
      const { status } = await phase("code", "Failed");
      expect(status?.state?.terminated).toMatchObject({ exitCode: 7, reason: "Error", message: "why\n" });
      const absent = await until(
        "absent",
        "does not start",
        (view) => view.status?.state?.terminated?.exitCode === 128 || view.status?.state?.waiting?.reason === "RunContainerError",
      );
      expect(absent.pod.metadata.name).toBe("absent");
      await untilTrue("an event says why", async () =>
        (await server.kubectl("get events --field-selector involvedObject.name=absent,reason=Failed")).stdout.includes(
          '"/no/such/program"',
        ),
      );
    });

    it("restarts with back-off, and what it wrote before is still to be read", async () => {
      await create(shellPod("crashing", "echo run; exit 3"));
      const { status } = await until("crashing", "backs off", (view) => view.status?.state?.waiting?.reason === "CrashLoopBackOff");
      expect(status?.lastState?.terminated?.exitCode).toBe(3);
      expect(status?.state?.waiting?.message).toMatch(/back-off 1?0?s? ?.*restarting failed container=main pod=crashing_default/);
      await until("crashing", "was restarted", (view) => (view.status?.restartCount ?? 0) >= 1);
      expect(await logs("crashing", "--previous")).toBe("run\n");
      await server.kubectl("delete pod crashing --grace-period=1");
      await gone("crashing");
    });

    it("comes back when its process is killed from outside", async () => {
      await create(shellPod("killed", `echo pid $$$$; ${forever}`));
      const pid = Number((await logged("killed", /^pid (\d+)/m))[1]);
      expect(isRunning(pid)).toBe(true);
      process.kill(pid, "SIGKILL");
      const { status } = await until(
        "killed",
        "runs again",
        (view) => view.status?.restartCount === 1 && view.status.state?.running !== undefined,
      );
      expect(status?.lastState?.terminated).toMatchObject({ exitCode: 137 });
      await server.kubectl("delete pod killed");
      await gone("killed");
    });

    it("is ready when its probe says so, and restarted when it no longer lives", async () => {
      const probe = (command: string) => ({ exec: { command: ["sh", "-c", command] }, periodSeconds: 1, failureThreshold: 1 });
      const volume = { name: "e2e", hostPath: { path: scratch } };
      const mounted = { volumeMounts: [{ name: "e2e", mountPath: "/e2e" }] };
      await create(
        shellPod(
          "probed",
          forever,
          { ...mounted, readinessProbe: probe("[ -f /e2e/ready ]"), livenessProbe: probe("[ ! -f /e2e/dead ]") },
          { volumes: [volume] },
        ),
      );
      const { status } = await until("probed", "runs", (view) => view.status?.state?.running !== undefined);
      expect(status?.ready).toBe(false);
      await writeFile(join(scratch, "ready"), "");
      await until("probed", "is ready", (view) => view.status?.ready === true);
      await writeFile(join(scratch, "dead"), "");
      await until("probed", "is restarted", (view) => (view.status?.restartCount ?? 0) > 0);
      await rm(join(scratch, "dead"));
      await until("probed", "is ready again", (view) => view.status?.ready === true, 60);
      await server.kubectl("delete pod probed");
    });

    it("is probed over HTTP and TCP, and waits for its startup probe", async () => {
      const port = await freePort();
      const source = `let n=0;require("http").createServer((q,a)=>{a.statusCode=q.url==="/start"&&++n<3?500:200;a.end()}).listen(${port})`;
      const http = (path: string) => ({ httpGet: { path, port }, periodSeconds: 1 });
      await create(
        shellPod("served", "", {
          command: [process.execPath, "-e", source],
          startupProbe: { ...http("/start"), failureThreshold: 30 },
          readinessProbe: http("/ready"),
          livenessProbe: { tcpSocket: { port }, periodSeconds: 1 },
        }),
      );
      const { status } = await until("served", "is ready", (view) => view.status?.ready === true);
      expect([status?.started, status?.restartCount]).toEqual([true, 0]);
      await server.kubectl("delete pod served --grace-period=1");
    });

    it("is given time to end: preStop, SIGTERM, and SIGKILL when the grace period is over", async () => {
      const volume = { name: "e2e", hostPath: { path: scratch } };
      const mounted = { volumeMounts: [{ name: "e2e", mountPath: "/e2e" }] };
      const polite = "trap 'echo term >> /e2e/end; exit 0' TERM; echo ready; while :; do sleep 0.1; done";
      const lifecycle = { preStop: { exec: { command: ["sh", "-c", "echo preStop >> /e2e/end"] } } };
      await create(
        shellPod("polite", polite, { ...mounted, lifecycle }, { volumes: [volume], terminationGracePeriodSeconds: 20 }),
        shellPod("stubborn", "trap '' TERM; echo pid $$$$; while :; do sleep 0.1; done"),
      );
      await logged("polite", /ready/);
      const pid = Number((await logged("stubborn", /^pid (\d+)/m))[1]);
      await server.kubectl("delete pod polite stubborn --wait=false");
      await gone("polite");
      expect(await readFile(join(scratch, "end"), "utf8")).toBe("preStop\nterm\n");
      await gone("stubborn");
      expect(isRunning(pid)).toBe(false);
    });
  });

  describe("logs", () => {
    it("are followed to the end, cut, dated and told apart", async () => {
      await create(
        shellPod(
          "talking",
          "for i in 1 2 3 4 5; do echo line $i; done; echo problem >&2; trap 'echo bye; exit 0' TERM; while :; do sleep 0.1; done",
        ),
      );
      await logged("talking", /problem/);
      expect(await logs("talking", "--tail=2")).toBe("line 5\nproblem\n");
      expect(await logs("talking", "--limit-bytes=6")).toBe("line 1");
      expect(await logs("talking", "--timestamps --tail=1")).toMatch(/^\d{4}-\d\d-\d\dT\S+Z problem\n$/);
      const none = await server.kubectl("logs talking -c other", { mayFail: true });
      expect(none.stderr).toContain("container other is not valid for pod talking");
      const following = follow(findKubectl() ?? "", ["logs", "-f", "talking"], { KUBECONFIG: server.kubeconfig });
      try {
        await untilTrue("what was there is followed", async () => following.text().includes("problem"));
        await server.kubectl("delete pod talking --wait=false");
        await following.ended;
        expect(following.text()).toBe("line 1\nline 2\nline 3\nline 4\nline 5\nproblem\nbye\n");
      } finally {
        following.stop();
      }
    });
  });

  describe("controllers", () => {
    it("a ReplicationController of three behind a Service has three endpoints, five when scaled, and three again", async () => {
      const labels = { app: "echo" };
      const template = { metadata: { labels }, spec: shellPod("x", forever).spec };
      await create(
        { apiVersion: "v1", kind: "ReplicationController", metadata: { name: "echo" }, spec: { replicas: 3, selector: labels, template } },
        {
          apiVersion: "v1",
          kind: "Service",
          metadata: { name: "echo" },
          spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
        },
      );
      const endpoints = async (): Promise<number> => {
        const found = (await server.api.send("/api/v1/namespaces/default/endpoints/echo")).json<Endpoints>();
        return found.subsets?.flatMap(({ addresses }) => addresses ?? []).length ?? 0;
      };
      const slices = async (): Promise<number> => {
        const path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io/service-name%3Decho";
        const { items } = (await server.api.send(path)).json<{ items: EndpointSlice[] }>();
        return items.flatMap((slice) => slice.endpoints ?? []).filter(({ conditions }) => conditions?.ready === true).length;
      };
      const settled = (count: number) =>
        eventually(`${count} endpoints`, async () => {
          const seen = [await endpoints(), await slices(), (await list("app=echo")).length];
          if (seen.every((number) => number === count)) return true;
          throw new Error(seen.join());
        });
      await settled(3);
      await server.kubectl("scale rc echo --replicas=5");
      await settled(5);
      await server.kubectl("scale rc echo --replicas=3");
      await settled(3);
      const [victim] = await list("app=echo");
      await server.kubectl(`delete pod ${victim?.metadata.name} --wait=false`);
      await untilTrue("another one takes its place", async () => {
        const pods = await list("app=echo");
        return pods.length === 3 && pods.every(({ metadata }) => metadata.uid !== victim?.metadata.uid);
      });
      await server.kubectl("delete rc,svc echo");
      await untilTrue("the pods are collected", async () => (await list("app=echo")).length === 0);
    });

    it("a Deployment rolls to what is ready, stays with the old when the new is not, and goes back", async () => {
      const readinessProbe = { exec: { command: ["sh", "-c", '[ "$V" != bad ]'] }, periodSeconds: 1 };
      const version = (value: string) => {
        const container = { name: "main", image, command: ["sh", "-c", forever], env: [{ name: "V", value }], readinessProbe };
        const labels = { app: "rolling" };
        const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 1, containers: [container] } };
        const strategy = { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } };
        return yamlOf(deployment({ name: "rolling", replicas: 2, spec: { template, strategy } }));
      };
      const versions = async (): Promise<string[]> =>
        (await list("app=rolling"))
          .filter(isReady)
          .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
          .map(({ spec }) => spec?.containers[0]?.env?.[0]?.value ?? "");
      await server.kubectl("apply -f -", { stdin: version("one") });
      await server.kubectl("rollout status deployment/rolling --timeout=60s");
      await server.kubectl("apply -f -", { stdin: version("two") });
      await server.kubectl("rollout status deployment/rolling --timeout=60s");
      expect(await versions()).toEqual(["two", "two"]);
      await server.kubectl("apply -f -", { stdin: version("bad") });
      await untilTrue("a bad pod runs", async () =>
        (await list("app=rolling")).some((pod) => pod.spec?.containers[0]?.env?.[0]?.value === "bad" && pod.status?.phase === "Running"),
      );
      expect(await versions()).toEqual(["two", "two"]);
      await server.kubectl("rollout undo deployment/rolling");
      await server.kubectl("rollout status deployment/rolling --timeout=60s");
      await untilTrue("only the good ones are left", async () => (await list("app=rolling")).length === 2);
      await server.kubectl("delete deployment rolling --cascade=foreground");
      expect(await list("app=rolling")).toEqual([]);
    });

    it("what is orphaned stays, what has an owner goes with it", async () => {
      await server.kubectl("create -f -", { stdin: yamlOf(deployment({ name: "owner", replicas: 1, command: ["sh", "-c", forever] })) });
      await server.kubectl("rollout status deployment/owner --timeout=60s");
      await server.kubectl("delete deployment owner --cascade=orphan");
      const [replicaSet] = (
        await server.get<{ items: { metadata: { name: string; ownerReferences?: unknown[] } }[] }>("get rs -l app=owner")
      ).items;
      expect(replicaSet?.metadata.ownerReferences).toBeUndefined();
      expect(await list("app=owner")).toHaveLength(1);
      await server.kubectl(`delete rs ${replicaSet?.metadata.name} --wait=false`);
      await untilTrue("the pods go too", async () => (await list("app=owner")).length === 0);
    });

    it("a namespace takes everything in it along, processes included", async () => {
      await server.kubectl("create ns leaving");
      await server.kubectl("-n leaving create -f -", {
        stdin: yamlOf(
          shellPod("leaver", `echo pid $$$$; ${forever}`),
          deployment({ name: "more", replicas: 2, command: ["sh", "-c", forever] }),
        ),
      });
      const pid = await eventually(
        "the pod logs its pid",
        async () => /pid (\d+)/.exec((await server.kubectl("-n leaving logs leaver")).stdout)?.[1],
      );
      await server.kubectl("delete ns leaving --timeout=60s");
      expect(isRunning(Number(pid))).toBe(false);
      expect((await server.api.send("/apis/apps/v1/namespaces/leaving/deployments")).json<{ items: unknown[] }>().items).toEqual([]);
    });
  });

  describe("a client inside", () => {
    it("reaches the API with nothing but what is mounted, and may what its role says", async () => {
      await server.kubectl("create serviceaccount inside");
      await server.kubectl("create role inside --verb=list --resource=configmaps");
      await server.kubectl("create rolebinding inside --role=inside --serviceaccount=default:inside");
      await create(shellPod("inside", "", { command: clientInside }, { restartPolicy: "Never", serviceAccountName: "inside" }));
      await until("inside", "ends", ({ pod }) => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed");
      expect(await logs("inside")).toBe("configmaps=200 secrets=403 pods=403\n");
    });

    it("has no token where none is wanted", async () => {
      await create(
        shellPod(
          "without",
          "ls /var/run/secrets/kubernetes.io 2>/dev/null; echo done",
          {},
          { restartPolicy: "Never", automountServiceAccountToken: false },
        ),
      );
      await phase("without", "Succeeded");
      expect(await logs("without")).toBe("done\n");
    });
  });
});

const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;
