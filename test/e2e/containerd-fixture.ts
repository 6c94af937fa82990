import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { importImage } from "./container-images.ts";
import type { Need } from "./needs.ts";

const run = promisify(execFile);
const cniBinDir = ["/opt/cni/bin", "/usr/lib/cni"].find((directory) => existsSync(join(directory, "bridge")));
const busybox = "/bin/busybox";

const onPath = (program: string): boolean => (process.env.PATH ?? "").split(":").some((directory) => existsSync(join(directory, program)));

/** Why a real containerd cannot be started here, as the name of a skipped test; undefined when it can. */
function containerdUnavailable(): string | undefined {
  if (process.platform !== "linux") return "not Linux";
  if (process.getuid?.() !== 0) return "not root";
  const missing = ["containerd", "ctr", "runc", "nft", "ip"].filter((program) => !onPath(program));
  if (missing.length > 0) return `no ${missing.join(", ")}`;
  if (cniBinDir === undefined) return "no CNI plugins";
  return existsSync(busybox) ? undefined : "no busybox-static";
}

/** For `describeWith` and `itWith`. */
export const realContainerd: Need = { name: "containerd", missing: containerdUnavailable() };

/** The image every test uses: busybox and its applets, nothing pulled from anywhere. */
export const testImage = "localhost/busybox:1";
const pauseImage = "localhost/pause:1";

/** `fetch HOST PORT [PATH]`: the body of a page, or a line with "failed". The wget of a statically linked busybox ends with a segmentation fault. */
const fetchScript = `#!/bin/sh
body=$(printf 'GET %s HTTP/1.0\\r\\nHost: %s\\r\\n\\r\\n' "\${3:-/}" "$1" | nc -w 5 "$1" "$2" 2>&1 | sed '1,/^\\r*$/d')
echo "\${body:-failed}"
`;

export interface ContainerdFixture {
  readonly endpoint: string;
  /** The path of `endpoint`, for `ctr -a`. */
  readonly socket: string;
  readonly directory: string;
  readonly cniConfDir: string;
  readonly cniDataDir: string;
  /** `kill -9`, then a new process over the same state: the containers go on. */
  restart(): Promise<void>;
  /** Ends every container and takes everything away. */
  stop(): Promise<void>;
}

/** A containerd of its own, in a network namespace if one is named: root, state, socket and network configuration lie under a temporary directory. */
export async function startContainerd({ namespace }: { readonly namespace?: string } = {}): Promise<ContainerdFixture> {
  const directory = await mkdtemp(join(tmpdir(), "coracle-ctr-"));
  const socket = join(directory, "containerd.sock");
  const cniConfDir = join(directory, "cni-conf");
  await mkdir(cniConfDir);
  await writeFile(join(directory, "config.toml"), configOf(directory, socket, cniConfDir));

  let daemon = await startDaemon(directory, socket, namespace);
  try {
    await importBusybox(directory, socket, testImage);
    await importBusybox(directory, socket, pauseImage);
  } catch (error) {
    await daemon.kill();
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  return {
    endpoint: `unix://${socket}`,
    socket,
    directory,
    cniConfDir,
    cniDataDir: join(directory, "cni-data"),
    async restart() {
      await daemon.kill();
      daemon = await startDaemon(directory, socket, namespace);
    },
    async stop() {
      await stopSandboxes(socket);
      await daemon.kill();
      await unmountBelow(directory);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function configOf(directory: string, socket: string, cniConfDir: string): string {
  const unused = ["aufs", "btrfs", "devmapper", "zfs"].map((name) => `"io.containerd.snapshotter.v1.${name}"`).join(", ");
  return `version = 2
root = "${directory}/root"
state = "${directory}/state"
disabled_plugins = [${unused}, "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "${socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${cniBinDir}"
    conf_dir = "${cniConfDir}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = "${directory}/runc"
`;
}

/** Unlike `ip netns exec` it leaves the mounts alone: what one process mounts, the others see. */
export const insideNamespace = (namespace: string, command: readonly string[]): string[] => [
  ...["nsenter", `--net=/run/netns/${namespace}`, "--", ...command],
];

async function startDaemon(directory: string, socket: string, namespace: string | undefined): Promise<{ kill(): Promise<void> }> {
  const command = ["containerd", "--config", join(directory, "config.toml"), "--log-level", "warn"];
  const [program = "", ...args] = namespace === undefined ? command : insideNamespace(namespace, command);
  const child = spawn(program, args, { stdio: "ignore" });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  for (let attempt = 0; attempt < 300; attempt++) {
    if (child.exitCode !== null) throw new Error(`containerd ended with ${child.exitCode}`);
    if (existsSync(socket) && (await answers(socket))) {
      return {
        async kill() {
          child.kill("SIGKILL");
          await exited;
        },
      };
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill("SIGKILL");
  throw new Error("containerd did not answer within 15 s");
}

async function importBusybox(directory: string, socket: string, name: string): Promise<void> {
  await importImage(socket, directory, {
    name,
    config: { Env: ["PATH=/bin"], Cmd: ["/bin/sleep", "2147483647"] },
    fill: fillWithBusybox,
  });
}

/** A root directory with a shell and its applets. */
export async function fillWithBusybox(root: string): Promise<void> {
  const { stdout } = await run(busybox, ["--list"]);
  const applets = stdout.split("\n").filter((line) => line !== "" && line !== "busybox");
  for (const part of ["bin", "etc", "tmp", "root"]) await mkdir(join(root, part), { recursive: true });
  await copyFile(busybox, join(root, "bin/busybox"));
  for (const applet of applets) await symlink("busybox", join(root, "bin", applet));
  await writeFile(join(root, "bin/fetch"), fetchScript, { mode: 0o755 });
  await writeFile(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n");
  await writeFile(join(root, "etc/group"), "root:x:0:\nnobody:x:65534:\n");
}

/** The daemon answers some calls before its CRI part is ready for the others. */
async function answers(socket: string): Promise<boolean> {
  const { createCriClient } = await import("../../agent/containerd/cri-client.ts");
  const { listSandboxesResponse } = await import("../../agent/containerd/cri-messages.ts");
  const cri = createCriClient(socket);
  try {
    await cri.call("RuntimeService", "ListPodSandbox", {}, listSandboxesResponse, { timeoutMs: 1_000, failFast: true });
    return true;
  } catch {
    return false;
  } finally {
    cri.close();
  }
}

/** Removing the sandboxes through the interface also gives back their network namespaces and addresses. */
async function stopSandboxes(socket: string): Promise<void> {
  const { createCriClient } = await import("../../agent/containerd/cri-client.ts");
  const { empty, listSandboxesResponse } = await import("../../agent/containerd/cri-messages.ts");
  const cri = createCriClient(socket);
  try {
    const { items } = await cri.call("RuntimeService", "ListPodSandbox", {}, listSandboxesResponse);
    for (const { id } of items) {
      await cri.call("RuntimeService", "StopPodSandbox", { pod_sandbox_id: id }, empty);
      await cri.call("RuntimeService", "RemovePodSandbox", { pod_sandbox_id: id }, empty);
    }
  } finally {
    cri.close();
  }
}

async function unmountBelow(directory: string): Promise<void> {
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n").map((line) => line.split(" ")[1] ?? "");
  for (const mount of mounts.filter((path) => path.startsWith(`${directory}/`)).reverse())
    await run("umount", ["-l", mount]).catch(() => {});
}

/** The bridges that the containerd's network configuration names. */
export async function bridgesOf({ cniConfDir }: ContainerdFixture): Promise<string[]> {
  const files = await readdir(cniConfDir);
  const texts = await Promise.all(files.map((name) => readFile(join(cniConfDir, name), "utf8")));
  return texts.flatMap((text) => /"bridge": ?"([^"]+)"/.exec(text)?.[1] ?? []);
}

/** Names of the network interfaces of this machine. */
export async function interfaceNames(): Promise<string[]> {
  return await readdir("/sys/class/net");
}
