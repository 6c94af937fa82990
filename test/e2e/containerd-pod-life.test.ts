import { spawn } from "node:child_process";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Container, Pod } from "../../shared/kubernetes/types.ts";
import { apiClientImage, importApiClient } from "./container-images.ts";
import { type ContainerdCluster, containerIdOf, isReady, podOf, shellContainer, startContainerdCluster } from "./containerd-cluster.ts";
import { realContainerd, testImage } from "./containerd-fixture.ts";
import { eventually, untilTrue } from "./eventually.ts";
import { describeWith, findKubectl, itWith, needs } from "./needs.ts";

const everySecond = { periodSeconds: 1, timeoutSeconds: 5 };
const listen = "mkdir -p /www; echo fine > /www/health; httpd -p 8080 -h /www;";

describeWith([needs.kubectl, realContainerd], "the life of a pod in real containers", () => {
  let cluster: ContainerdCluster;
  let building: Promise<void>;

  beforeAll(async () => {
    cluster = await startContainerdCluster({ nodes: 1 });
    building = needs.go.missing === undefined ? importApiClient(cluster.containerd) : Promise.resolve();
    // Whoever needs it waits for it, and then hears of its failure.
    building.catch(() => {});
    await cluster.kubectl("wait --for=create serviceaccount/default --timeout=30s");
  });
  afterAll(async () => {
    await building?.catch(() => {});
    await cluster?.stop();
  });

  const run = (name: string, container: Container, spec: Pod["spec"] | object = {}): Promise<void> =>
    cluster.apply([podOf(name, container, spec)]);
  const until = (name: string, what: string, look: (pod: Pod) => boolean): Promise<Pod> =>
    eventually(`${name}: ${what}`, async () => {
      const pod = await cluster.pod(name);
      return look(pod) ? pod : undefined;
    });
  const untilReady = (name: string): Promise<Pod> => until(name, "ready", isReady);
  const untilPhase = (name: string, phase: string): Promise<Pod> => until(name, phase, ({ status }) => status?.phase === phase);
  const logs = (args: string): Promise<string> => cluster.kubectl(`logs ${args}`);
  const eventsOf = (name: string): Promise<string> => cluster.kubectl(`get events --field-selector involvedObject.name=${name}`);
  const follow = (...args: string[]): { readonly ended: Promise<string>; seen(): string } => {
    const environment = { ...process.env, KUBECONFIG: cluster.server.kubeconfig };
    const child = spawn(findKubectl() ?? "kubectl", ["logs", "-f", ...args], { env: environment, stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    return { seen: () => text, ended: new Promise((resolve) => child.once("close", () => resolve(text))) };
  };

  it("shows logs while they are written, to the end, the last of them, and those of the container before", async () => {
    const script = "for i in $(seq 1 12); do echo line $i; sleep 0.2; done; exit 3";
    await run("talker", shellContainer(script));
    await until("talker", "started", ({ status }) => status?.containerStatuses?.[0]?.containerID !== undefined);
    const following = follow("talker");
    await untilTrue("the first line comes before the last is written", async () => following.seen().includes("line 1\n"));
    expect((await following.ended).trim().split("\n")).toEqual(Array.from({ length: 12 }, (_, index) => `line ${index + 1}`));
    await until("talker", "restarted", ({ status }) => (status?.containerStatuses?.[0]?.restartCount ?? 0) > 0);
    expect(await logs("talker --previous --tail=2")).toBe("line 11\nline 12");
    expect(await logs("talker --previous --timestamps --tail=1")).toMatch(/^\d{4}-\d\d-\d\dT\S+Z line 12$/);
    expect((await logs("talker --previous --limit-bytes=6")).trim()).toBe("line 1");
    const missing = await cluster.server.kubectl("logs talker -c other", { mayFail: true });
    expect(missing.stderr).toContain("container other is not valid for pod talker");
    await cluster.kubectl("delete pod talker --wait=false");
  });

  it("is ready when its probes say so, by command, by page and by port", async () => {
    await run(
      "by-command",
      shellContainer("sleep 1000", { readinessProbe: { exec: { command: ["test", "-f", "/tmp/ready"] }, ...everySecond } }),
    );
    const started = shellContainer(`sleep 2; ${listen} sleep 1000`, {
      startupProbe: { tcpSocket: { port: 8080 }, failureThreshold: 60, ...everySecond },
      readinessProbe: { httpGet: { path: "/health", port: 8080 }, ...everySecond },
    });
    await run("by-page", started);
    const waiting = await untilPhase("by-command", "Running");
    expect(isReady(waiting)).toBe(false);
    await cluster.shell(waiting, "touch /tmp/ready");
    const ready = await untilReady("by-command");
    await cluster.shell(ready, "rm /tmp/ready");
    await until("by-command", "not ready", (pod) => !isReady(pod));
    expect((await untilReady("by-page")).status?.containerStatuses?.[0]).toMatchObject({ started: true, restartCount: 0 });
    await cluster.kubectl("delete pod by-command by-page --wait=false");
  });

  it("has a container started again that is not alive, and says why", async () => {
    const probe = { httpGet: { path: "/health", port: 8080 }, failureThreshold: 2, initialDelaySeconds: 1, ...everySecond };
    await run("sick", shellContainer(`${listen} sleep 1000`, { livenessProbe: probe }), { terminationGracePeriodSeconds: 1 });
    const pod = await untilPhase("sick", "Running");
    await cluster.shell(pod, "rm /www/health");
    const again = await until("sick", "restarted", ({ status }) => status?.containerStatuses?.[0]?.restartCount === 1);
    expect(again.status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode).toBe(137);
    await untilTrue("the events tell", async () => {
      const events = await eventsOf("sick");
      return events.includes("Liveness probe failed: HTTP probe failed with statuscode: 404") && events.includes("will be restarted");
    });
    await cluster.kubectl("delete pod sick --wait=false");
  });

  it("runs its init containers one after another before the others, and stays behind one that fails", async () => {
    const shared = [{ name: "work", mountPath: "/work" }];
    const step = (name: string): Container => ({ ...shellContainer(`echo ${name} >> /work/steps`, { volumeMounts: shared }), name });
    await run("prepared", shellContainer("cat /work/steps", { volumeMounts: shared }), {
      restartPolicy: "Never",
      initContainers: [step("one"), step("two")],
      volumes: [{ name: "work", emptyDir: {} }],
    });
    await run("stuck", shellContainer("true"), {
      restartPolicy: "Never",
      initContainers: [{ ...shellContainer("exit 7"), name: "broken" }],
    });
    const prepared = await untilPhase("prepared", "Succeeded");
    expect(await logs("prepared")).toBe("one\ntwo");
    expect(prepared.status?.initContainerStatuses?.map(({ state }) => state?.terminated?.reason)).toEqual(["Completed", "Completed"]);
    const stuck = await untilPhase("stuck", "Failed");
    expect(stuck.status?.initContainerStatuses?.[0]?.state?.terminated?.exitCode).toBe(7);
    expect(stuck.status?.containerStatuses?.[0]?.state?.waiting?.reason).toBe("PodInitializing");
    await cluster.kubectl("delete pod prepared stuck --wait=false");
  });

  it("is told to end and given the time to", async () => {
    const script = "trap 'echo told; sleep 1; echo done; exit 0' TERM; echo waiting; while true; do sleep 0.1; done";
    await run("polite", shellContainer(script), { terminationGracePeriodSeconds: 20 });
    await run("deaf", shellContainer("trap '' TERM; while true; do sleep 0.1; done"), { terminationGracePeriodSeconds: 2 });
    await Promise.all([untilPhase("polite", "Running"), untilPhase("deaf", "Running")]);
    const polite = follow("polite");
    await untilTrue("the container runs", async () => polite.seen().includes("waiting"));
    const startedAt = performance.now();
    await cluster.kubectl("delete pod polite deaf --timeout=30s");
    expect(performance.now() - startedAt).toBeLessThan(15_000);
    expect((await polite.ended).trim().split("\n")).toEqual(["waiting", "told", "done"]);
    expect((await cluster.server.kubectl("get pod polite", { mayFail: true })).stderr).toContain("NotFound");
  });

  it("leaves its last words in the status", async () => {
    const spec = { restartPolicy: "Never" };
    await run("words", shellContainer("echo goodbye > /dev/termination-log; exit 4"), spec);
    await run("own-file", shellContainer("printf mine > /tmp/end; exit 0", { terminationMessagePath: "/tmp/end" }), spec);
    await run("from-log", shellContainer("echo oh no; exit 5", { terminationMessagePolicy: "FallbackToLogsOnError" }), spec);
    const ended = async (name: string, phase: string) => (await untilPhase(name, phase)).status?.containerStatuses?.[0]?.state?.terminated;
    expect(await ended("words", "Failed")).toMatchObject({ exitCode: 4, reason: "Error", message: "goodbye\n" });
    expect(await ended("own-file", "Succeeded")).toMatchObject({ exitCode: 0, reason: "Completed", message: "mine" });
    expect(await ended("from-log", "Failed")).toMatchObject({ exitCode: 5, message: "oh no\n" });
    await cluster.kubectl("delete pod words own-file from-log --wait=false");
  });

  it("sees its configuration in its environment and its files, and a change of the files' without a restart", async () => {
    await cluster.kubectl("create configmap settings --from-literal=colour=red --from-literal=shape=round");
    await cluster.kubectl("create secret generic login --from-literal=password=sesame");
    const environment = [
      { name: "COLOUR", valueFrom: { configMapKeyRef: { name: "settings", key: "colour" } } },
      { name: "PASSWORD", valueFrom: { secretKeyRef: { name: "login", key: "password" } } },
      { name: "ADDRESS", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
      { name: "MEMORY", valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } } },
      { name: "COMPOSED", value: "$(COLOUR)-$(ABSENT)" },
    ];
    const mounts = ["settings", "login", "about", "all", "scratch"].map((name) => ({ name, mountPath: `/${name}` }));
    await run(
      "configured",
      shellContainer("sleep 1000", {
        env: environment,
        envFrom: [{ prefix: "ALL_", configMapRef: { name: "settings" } }],
        volumeMounts: [...mounts, { name: "settings", mountPath: "/one/shape", subPath: "shape" }],
        resources: { limits: { memory: "64Mi" } },
        workingDir: "/scratch",
        securityContext: { runAsUser: 65534, readOnlyRootFilesystem: true },
      }),
      {
        securityContext: { fsGroup: 2000 },
        volumes: [
          { name: "settings", configMap: { name: "settings" } },
          { name: "login", secret: { secretName: "login", defaultMode: 0o440 } },
          { name: "about", downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } },
          { name: "all", projected: { sources: [{ configMap: { name: "settings" } }, { secret: { name: "login" } }] } },
          { name: "scratch", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
        ],
      },
    );
    const pod = await untilReady("configured");
    const shell = (script: string): Promise<string> => cluster.shell(pod, script);
    expect(await shell('echo "$COLOUR $PASSWORD $ADDRESS $MEMORY $COMPOSED $ALL_shape"')).toBe(
      `red sesame ${pod.status?.podIP} 64 red-$(ABSENT) round`,
    );
    expect(await shell("cat /settings/colour /login/password /all/shape /all/password /one/shape")).toBe("redsesameroundsesameround");
    expect(await shell("cat /about/labels; echo; pwd; id -u; touch x && stat -c %g x; touch /no 2>&1")).toBe(
      'app="configured"\n/scratch\n65534\n2000\ntouch: /no: Read-only file system',
    );
    expect(await shell("cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null")).toBe(
      String(64 * 1024 * 1024),
    );
    await cluster.kubectl(["patch", "configmap", "settings", "--type=merge", "-p", '{"data":{"colour":"blue","shape":"square"}}']);
    await untilTrue("the files have changed", async () => (await shell("cat /settings/colour /all/colour")) === "blueblue");
    expect(await shell("echo $COLOUR; cat /one/shape")).toBe("red\nround");
    expect(containerIdOf(await cluster.pod("configured"))).toBe(containerIdOf(pod));
    await cluster.kubectl("delete pod configured --wait=false");
  });

  it("lets a debugging container see the processes of another", async () => {
    await run("debugged", shellContainer("echo running > /tmp/mark; exec sleep 987"));
    await untilReady("debugged");
    const look = "tr '\\0' ' ' < /proc/1/cmdline; cat /proc/1/root/tmp/mark";
    const debug = ["debug", "debugged", "-c", "glass", `--image=${testImage}`, "--image-pull-policy=Never", "--target=main"];
    await cluster.kubectl([...debug, "--", "sh", "-c", look]);
    const ended = await until(
      "debugged",
      "has been looked at",
      ({ status }) => status?.ephemeralContainerStatuses?.[0]?.state?.terminated !== undefined,
    );
    expect(ended.status?.ephemeralContainerStatuses?.[0]).toMatchObject({
      name: "glass",
      restartCount: 0,
      state: { terminated: { exitCode: 0 } },
    });
    expect(await logs("debugged -c glass")).toBe("sleep 987 running");
    expect(isReady(ended)).toBe(true);
    await cluster.kubectl("delete pod debugged --wait=false");
  });

  it("is given more memory and CPU while it runs, and starts anew only where it wants to", async () => {
    const resources = { requests: { cpu: "50m", memory: "32Mi" }, limits: { cpu: "100m", memory: "64Mi" } };
    const resizePolicy = [{ resourceName: "memory", restartPolicy: "RestartContainer" }];
    await run("growing", shellContainer("exec sleep 1000", { resources }));
    await run("restarting", shellContainer("exec sleep 1000", { resources, resizePolicy }));
    const before = [await untilReady("growing"), await untilReady("restarting")];
    const memory = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null";
    const changed = { requests: { cpu: "60m", memory: "48Mi" }, limits: { cpu: "200m", memory: "96Mi" } };
    for (const name of ["growing", "restarting"]) {
      const patch = JSON.stringify({ spec: { containers: [{ name: "main", resources: changed }] } });
      await cluster.kubectl(["patch", "pod", name, "--subresource=resize", "-p", patch]);
    }
    const after: Pod[] = [];
    for (const name of ["growing", "restarting"])
      after.push(
        await until(name, "has what it asks for", (pod) => {
          const [status] = pod.status?.containerStatuses ?? [];
          return isReady(pod) && status?.resources?.limits?.memory === "96Mi" && status.resources.requests?.cpu === "60m";
        }),
      );
    for (const pod of after) expect(await cluster.shell(pod, memory)).toBe(String(96 * 1024 * 1024));
    const countOf = ({ status }: Pod) => status?.containerStatuses?.[0]?.restartCount;
    expect(after.map(countOf)).toEqual([0, 1]);
    expect(after.map((pod, index) => containerIdOf(pod) === containerIdOf(before[index] ?? pod))).toEqual([true, false]);
    expect(after.flatMap(({ status }) => status?.conditions ?? []).filter(({ type }) => type.startsWith("PodResize"))).toEqual([]);
    await cluster.kubectl("delete pod growing restarting --wait=false");
  });

  it("waits for what it names, and runs when it is there", async () => {
    const reference = [{ secretRef: { name: "late" } }];
    await run("patient", shellContainer("echo $key; sleep 1000", { envFrom: reference }));
    await run("imageless", { ...shellContainer("true"), image: "localhost/absent:1", imagePullPolicy: "Never" });
    const reasonOf = ({ status }: Pod) => status?.containerStatuses?.[0]?.state?.waiting?.reason;
    await until("patient", "waits", (pod) => reasonOf(pod) === "CreateContainerConfigError");
    await until("imageless", "says so", (pod) => reasonOf(pod) === "ErrImageNeverPull");
    await cluster.kubectl("create secret generic late --from-literal=key=came");
    await untilReady("patient");
    expect(await logs("patient")).toBe("came");
    await cluster.kubectl("delete pod patient imageless --wait=false");
  });

  itWith([needs.go], "reaches the API with nothing but what is mounted, and may do what its role allows", async () => {
    await building;
    await cluster.kubectl("create serviceaccount reader");
    await cluster.kubectl("create role reader --verb=get,list --resource=configmaps");
    await cluster.kubectl("create rolebinding reader --role=reader --serviceaccount=default:reader");
    const list = "/api/v1/namespaces/default/";
    const args = ["GET", `${list}configmaps`, "GET", `${list}secrets`, "DELETE", `${list}configmaps/settings`, "GET", "/version"];
    const container = { name: "main", image: apiClientImage, args };
    await run("client", container, { serviceAccountName: "reader", restartPolicy: "Never" });
    await run("tokenless", container, { automountServiceAccountToken: false, restartPolicy: "Never" });
    await untilPhase("client", "Succeeded");
    const [greeting, configMaps, secrets, deletion, version] = (await logs("client")).split("\n");
    const who = 'User "system:serviceaccount:default:reader"';
    expect(greeting).toMatch(/^in namespace default at 10\.\d+\.\d+\.\d+:443$/);
    expect(configMaps).toBe(`GET ${list}configmaps 200 ConfigMapList kube-root-ca.crt,settings`);
    expect(secrets).toBe(
      `GET ${list}secrets 403 Status secrets is forbidden: ${who} cannot list resource "secrets" in API group "" in the namespace "default"`,
    );
    expect(deletion).toContain(`403 Status configmaps "settings" is forbidden: ${who} cannot delete resource "configmaps"`);
    expect(version).toMatch(/^GET \/version 200/);
    await untilPhase("tokenless", "Failed");
    expect(await logs("tokenless")).toContain("no such file or directory");
  });
});
