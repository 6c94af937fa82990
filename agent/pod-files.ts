import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Container, Pod } from "../shared/kubernetes/types.ts";
import { parseCriLine } from "./logs/cri-line.ts";
import { hostnameOf } from "./pod/container-spec.ts";
import type { ContainerSpec } from "./runtime.ts";
import type { PayloadInput } from "./volumes/payload.ts";
import { containerMounts, setUpVolumes, tearDownVolumes } from "./volumes/pod-volumes.ts";
import type { Tmpfs } from "./volumes/tmpfs.ts";

/** What a pod needs on the node's disk. */
export interface PodFiles {
  /** Sets volumes up, or brings them up to date. @throws MountError */
  setUp(pod: Pod, input: PayloadInput): Promise<void>;
  /** The mounts of one start of a container: its volumes, /etc/hosts and the termination log. @throws ContainerConfigError */
  prepareContainer(
    pod: Pod,
    container: Container,
    start: { readonly attempt: number; readonly environment: ReadonlyMap<string, string>; readonly podIps: readonly string[] },
  ): Promise<ContainerSpec["mounts"]>;
  /** What a container left in its termination log, or, by its policy, the end of its output; at most 4,096 bytes. */
  terminationMessage(pod: Pod, container: Container, attempt: number, exitCode: number): Promise<string>;
  logDirectory(pod: Pod): string;
  /** Relative to the log directory. */
  logPath(container: string, attempt: number): string;
  /** Idempotent. `logs`: the pod is gone for good. */
  tearDown(podUid: string, logDirectory: string | undefined): Promise<void>;
  removeLog(pod: Pod, container: string, attempt: number): Promise<void>;
}

const messageBytes = 4096;
const fallbackBytes = 2048;
const fallbackLines = 80;

export interface DiskPodFilesOptions {
  readonly stateDirectory: string;
  readonly tmpfs: Tmpfs;
  readonly mayChown: boolean;
  /** Pods share the node's network whatever they say: process nodes. */
  readonly sharesHostNetwork: boolean;
}

/** Under `pods/UID` and `logs/NAMESPACE_NAME_UID` of the state directory. */
export function createDiskPodFiles(options: DiskPodFilesOptions): PodFiles {
  const directoryOf = (uid: string): string => join(options.stateDirectory, "pods", uid);
  const volumes = (pod: Pod) => ({ directory: directoryOf(pod.metadata.uid ?? ""), tmpfs: options.tmpfs, mayChown: options.mayChown });
  const terminationLog = (pod: Pod, container: string, attempt: number): string =>
    join(directoryOf(pod.metadata.uid ?? ""), "containers", container, `${attempt}.termination`);
  const logDirectory = ({ metadata }: Pod): string =>
    join(options.stateDirectory, "logs", `${metadata.namespace}_${metadata.name}_${metadata.uid}`);
  const logPath = (container: string, attempt: number): string => `${container}/${attempt}.log`;

  return {
    async setUp(pod, input) {
      await mkdir(logDirectory(pod), { recursive: true });
      await setUpVolumes(pod, input, volumes(pod));
    },
    async prepareContainer(pod, container, { attempt, environment, podIps }) {
      const mounts = [...(await containerMounts(pod, container, environment, volumes(pod)))];
      const messages = terminationLog(pod, container.name, attempt);
      await mkdir(dirname(messages), { recursive: true });
      await (await open(messages, "w", 0o666)).close();
      await mkdir(dirname(join(logDirectory(pod), logPath(container.name, attempt))), { recursive: true });
      const add = (hostPath: string, containerPath: string): void => {
        if (mounts.some((mount) => mount.containerPath === containerPath)) return;
        mounts.push({ hostPath, containerPath, readOnly: false, propagation: "None" });
      };
      add(messages, container.terminationMessagePath ?? "/dev/termination-log");
      const hosts = join(directoryOf(pod.metadata.uid ?? ""), "etc-hosts");
      const shares = options.sharesHostNetwork || pod.spec?.hostNetwork === true;
      await writeFile(hosts, hostsFile(pod, podIps, shares ? await readFile("/etc/hosts", "utf8").catch(() => "") : undefined));
      add(hosts, "/etc/hosts");
      return mounts;
    },
    async terminationMessage(pod, container, attempt, exitCode) {
      const written = await head(terminationLog(pod, container.name, attempt), messageBytes);
      if (written !== "" || exitCode === 0 || container.terminationMessagePolicy !== "FallbackToLogsOnError") return written;
      return logTail(join(logDirectory(pod), logPath(container.name, attempt)));
    },
    logDirectory,
    logPath,
    async tearDown(podUid, logs) {
      await tearDownVolumes({ directory: directoryOf(podUid), tmpfs: options.tmpfs, mayChown: options.mayChown });
      if (logs !== undefined) await rm(logs, { recursive: true, force: true });
    },
    async removeLog(pod, container, attempt) {
      await rm(join(logDirectory(pod), logPath(container, attempt)), { force: true });
    },
  };
}

/** A node that runs nothing keeps nothing. */
export const noPodFiles: PodFiles = {
  async setUp() {},
  prepareContainer: async () => [],
  terminationMessage: async () => "",
  logDirectory: () => "",
  logPath: (container, attempt) => `${container}/${attempt}.log`,
  async tearDown() {},
  async removeLog() {},
};

/** As kubelet's `managedHostsFileContent`; `node`: the node's own file, for pods in its network. */
function hostsFile(pod: Pod, podIps: readonly string[], node: string | undefined): string {
  const name = hostnameOf(pod);
  const { subdomain } = pod.spec ?? {};
  const full = subdomain === undefined || subdomain === "" ? "" : `${name}.${subdomain}.${pod.metadata.namespace}.svc.cluster.local\t`;
  const managed = [
    "# Kubernetes-managed hosts file.",
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "fe00::0\tip6-mcastprefix",
    "fe00::1\tip6-allnodes",
    "fe00::2\tip6-allrouters",
    ...podIps.map((ip) => `${ip}\t${full}${name}`),
  ].join("\n");
  const aliases = (pod.spec?.hostAliases ?? []).map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join("\t")}`);
  const base = node === undefined ? `${managed}\n` : `# Kubernetes-managed hosts file (host network).\n${node}`;
  return aliases.length === 0 ? base : `${base}\n# Entries added by HostAliases.\n${aliases.join("\n")}\n`;
}

async function head(path: string, bytes: number): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return "";
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function logTail(path: string): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return "";
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - fallbackBytes * 4);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
    const lines = buffer.toString("utf8", 0, bytesRead).split("\n").slice(0, -1);
    const texts = lines.flatMap((line) => parseCriLine(Buffer.from(line))?.text.toString() ?? []);
    return texts
      .slice(-fallbackLines)
      .map((text) => `${text}\n`)
      .join("")
      .slice(-fallbackBytes);
  } finally {
    await file.close();
  }
}
