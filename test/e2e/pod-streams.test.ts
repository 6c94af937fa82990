import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Pod } from "../../shared/kubernetes/types.ts";
import { type CommandResult, runCommand } from "./commands.ts";
import { isReady, podOf, shellContainer, startContainerdCluster } from "./containerd-cluster.ts";
import { realContainerd, testImage } from "./containerd-fixture.ts";
import { eventually, untilTrue } from "./eventually.ts";
import { shellPod, yamlOf } from "./manifests.ts";
import { describeWith, findKubectl, itWith, type KubectlVersion, kubectlOf, type Need, needs } from "./needs.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

/** A cluster with nodes of one runtime, and how pods run a line of shell there. */
interface Bed {
  readonly server: ServerFixture;
  pod(name: string, script: string, container?: object, spec?: object): Pod;
  stop(): Promise<void>;
}

interface Runtime {
  readonly name: string;
  readonly needs: readonly Need[];
  readonly image: string;
  /** A command that serves a page that says `served` on port 18473. */
  readonly web: string;
  start(): Promise<Bed>;
}

const port = 18_473;
const runtimes: readonly Runtime[] = [
  {
    name: "processes",
    needs: [needs.sh, needs.linux],
    image: "none",
    web: `mkdir -p /tmp/page; echo served > /tmp/page/index.html; cd /tmp/page; exec python3 -m http.server ${port}`,
    async start() {
      const server = await startServer({ nodes: 1, runtime: "process" });
      return { server, pod: shellPod, stop: () => server.stop() };
    },
  },
  {
    name: "containerd",
    needs: [realContainerd],
    image: testImage,
    web: `mkdir -p /www; echo served > /www/index.html; exec httpd -f -p ${port} -h /www`,
    async start() {
      const cluster = await startContainerdCluster({ nodes: 1 });
      const pod: Bed["pod"] = (name, script, container, spec) => podOf(name, shellContainer(script, container), spec);
      return { server: cluster.server, pod, stop: () => cluster.stop() };
    },
  },
];

/** The oldest and the newest, and the last that speaks SPDY by itself. */
const versions = ["1.27", "1.30", "1.33"] as const satisfies readonly KubectlVersion[];

for (const runtime of runtimes) {
  describeWith([needs.kubectl, ...runtime.needs], `streams to pods of ${runtime.name}`, () => {
    let bed: Bed;
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "coracle-streams-"));
      bed = await runtime.start();
      const { server, pod } = bed;
      await server.kubectl("wait --for=create serviceaccount/default --timeout=30s");
      const web = {
        ...pod("web", runtime.web, {
          ports: [{ name: "http", containerPort: port }],
        }),
      };
      const service = {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "web" },
        spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: port }] },
      };
      const objects = [pod("box", "while true; do sleep 1; done", { env: [{ name: "COLOUR", value: "blue" }] }), web, service];
      await server.kubectl("apply -f -", { stdin: yamlOf(...objects) });
      await server.kubectl("wait --for=condition=Ready pod/box pod/web --timeout=60s");
      await untilTrue("the service has an endpoint", async () => {
        const { subsets = [] } = await server.get<{ subsets?: object[] }>("get endpoints web");
        return subsets.length > 0;
      });
    });
    afterAll(async () => {
      await bed?.stop();
      await rm(folder, { recursive: true, force: true });
    });

    const kubectl = (
      args: string[],
      version: KubectlVersion,
      options: { stdin?: string; mayFail?: boolean } = {},
    ): Promise<CommandResult> => bed.server.kubectl(args, { version, ...options });
    /** Goes on until it is killed. */
    const start = (args: string[], version: KubectlVersion): { child: ChildProcess; seen(): string } => {
      const environment = { ...process.env, KUBECONFIG: bed.server.kubeconfig };
      const child = spawn(findKubectl(version) ?? "kubectl", args, { env: environment, stdio: ["pipe", "pipe", "pipe"] });
      let text = "";
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      return { child, seen: () => text };
    };

    /** kubectl on a terminal of 33 rows and 99 columns. */
    const onTerminal = (args: string, version: KubectlVersion): Promise<CommandResult> =>
      runCommand("script", ["-qefc", `stty rows 33 cols 99; ${findKubectl(version) ?? "kubectl"} ${args}`, "/dev/null"], {
        environment: { KUBECONFIG: bed.server.kubeconfig },
        mayFail: true,
      });

    for (const version of versions) {
      describe(`kubectl ${version}`, () => {
        itWith([kubectlOf(version)], "runs commands: output, errors and exit codes come back", async () => {
          const answer = await kubectl(["exec", "box", "--", "sh", "-c", "echo hello $COLOUR; echo wrong >&2; exit 3"], version, {
            mayFail: true,
          });
          expect(answer.stdout).toBe("hello blue\n");
          expect(answer.stderr).toBe("wrong\ncommand terminated with exit code 3\n");
          expect(answer.code).toBe(3);
          expect((await kubectl(["exec", "box", "--", "true"], version)).code).toBe(0);
        });

        itWith([kubectlOf(version)], "hands input over to its end, and much output whole", async () => {
          const input = randomBytes(3_000_000).toString("hex");
          const sum = createHash("md5").update(input).digest("hex");
          expect((await kubectl(["exec", "-i", "box", "--", "md5sum"], version, { stdin: input })).stdout).toContain(sum);
          expect((await kubectl(["exec", "-i", "box", "--", "cat"], version, { stdin: input })).stdout === input).toBe(true);
        });

        itWith([kubectlOf(version)], "gives a terminal of the client's size", async () => {
          const answer = await onTerminal(`exec -it box -- sh -c 'test -t 0 && sleep 1 && stty size; exit 5'`, version);
          expect(answer.stdout).toContain("33 99");
          expect(answer.code).toBe(5);
        });

        itWith([kubectlOf(version)], "runs a pod on the client's terminal", async () => {
          const script = `tty; until [ "$(stty size)" = "33 99" ]; do sleep 0.1; done; echo sized; exit 5`;
          const flags = `-it --rm --quiet --restart=Never --image=${runtime.image}`;
          const answer = await onTerminal(`run on-${version.replace(".", "-")} ${flags} --command -- sh -c '${script}'`, version);
          expect(answer.stdout).toContain("sized");
          expect(answer.code).toBe(5);
        });

        itWith([kubectlOf(version)], "copies folders in and out", async () => {
          const [source, target] = [join(folder, `in-${version}`), join(folder, `out-${version}`)];
          await mkdir(join(source, "below"), { recursive: true });
          await writeFile(join(source, "below", "file"), version);
          await kubectl(["cp", source, `box:/tmp/copied-${version}`], version);
          await kubectl(["cp", `box:/tmp/copied-${version}`, target], version);
          expect(await readFile(join(target, "below", "file"), "utf8")).toBe(version);
        });

        itWith(
          [kubectlOf(version), needs.curl],
          "forwards ports, several connections at once, and tells what does not listen",
          async () => {
            const forward = start(["port-forward", "pod/web", `:${port}`, "-v=4"], version);
            try {
              const [, local] = await eventually("it listens", async () => /127\.0\.0\.1:(\d+) ->/.exec(forward.seen()) ?? undefined);
              const page = async (): Promise<string> => (await fetch(`http://127.0.0.1:${local}/`)).text();
              expect(await Promise.all(Array.from({ length: 6 }, page))).toEqual(Array.from({ length: 6 }, () => "served\n"));
              expect(forward.seen(), "by the protocol that it tries first").not.toContain("fallback");
            } finally {
              forward.child.kill();
            }
            const nowhere = start(["port-forward", "pod/web", ":1"], version);
            try {
              const [, local] = await eventually("it listens", async () => /127\.0\.0\.1:(\d+) ->/.exec(nowhere.seen()) ?? undefined);
              await expect(fetch(`http://127.0.0.1:${local}/`)).rejects.toThrow();
              await untilTrue("the refusal is told", async () =>
                /error forwarding port 1 to pod .*connection refused/s.test(nowhere.seen()),
              );
            } finally {
              nowhere.child.kill();
            }
          },
        );

        itWith([kubectlOf(version)], "attaches to a container's input and output, and its input ends once", async () => {
          const name = `reader-${version.replace(".", "-")}`;
          const script = "while read line; do echo got $$line; done; echo over; sleep 1";
          const reader = bed.pod(name, script, { stdin: true, stdinOnce: true }, { restartPolicy: "Never" });
          await bed.server.kubectl("apply -f -", { stdin: yamlOf(reader) });
          await eventually("it runs", async () => {
            const pod = await bed.server.get<Pod>(`get pod ${name}`);
            return isReady(pod) ? pod : undefined;
          });
          const answer = await kubectl(["attach", "-i", name], version, { stdin: "one\ntwo\n" });
          expect(answer.stdout).toBe("got one\ngot two\nover\n");
        });
      });
    }

    it("proxies HTTP to pods, services and the node", async () => {
      const { server } = bed;
      const [node] = (await server.get<{ items: { metadata: { name: string } }[] }>("get nodes")).items;
      const raw = async (path: string): Promise<string> => (await server.kubectl(["get", "--raw", path])).stdout;
      const core = "/api/v1/namespaces/default";
      expect(await raw(`${core}/pods/web:${port}/proxy/index.html`)).toBe("served\n");
      expect(await raw(`${core}/pods/web/proxy/`), "the container's first port").toBe("served\n");
      expect(await raw(`${core}/services/web/proxy/`)).toBe("served\n");
      expect(await raw(`${core}/services/http:web:80/proxy/index.html`)).toBe("served\n");
      expect(await raw(`/api/v1/nodes/${node?.metadata.name}/proxy/healthz`)).toBe("ok");
      const pods = JSON.parse(await raw(`/api/v1/nodes/${node?.metadata.name}/proxy/pods`)) as { items: Pod[] };
      expect(pods.items.map(({ metadata }) => metadata.name)).toContain("web");
      const proxy = start(["proxy", "--port=0"], "1.33");
      try {
        const [, address] = await eventually("it serves", async () => /on (127\.0\.0\.1:\d+)/.exec(proxy.seen()) ?? undefined);
        expect(await (await fetch(`http://${address}${core}/services/web/proxy/`)).text()).toBe("served\n");
      } finally {
        proxy.child.kill();
      }
      const refused = await server.kubectl(["get", "--raw", `${core}/pods/web:1/proxy/`], { mayFail: true });
      expect(refused.stderr).toMatch(/ServiceUnavailable\): error trying to reach service: dial tcp \S+:1: connect: connection refused/);
    });
  });
}
