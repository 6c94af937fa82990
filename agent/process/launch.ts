import type { ContainerSpec, SandboxSpec } from "../runtime.ts";

/**
 * How a process sees its pod's mounts.
 * - `overlay`: a mount namespace with a root of its own: the machine's files below, what the process writes above them, gone with it.
 * - `bind`: a mount namespace over the machine's root; missing mount points are made on the machine.
 * - `links`: no privileges: `CORACLE_MOUNT_<PATH>` (`/etc/config` → `CORACLE_MOUNT_ETC_CONFIG`) names the directory, and a symlink stands
 *   at the path where nothing was and the agent may write.
 */
export type Isolation = "overlay" | "bind" | "links";

export interface LaunchMount {
  readonly hostPath: string;
  /** Canonical on the machine: no symlink in it. */
  readonly containerPath: string;
  readonly isDirectory: boolean;
  readonly readOnly: boolean;
}

export interface Launch {
  readonly isolation: Isolation;
  /** Holds `upper`, `work` and `root` of an overlay. */
  readonly directory: string;
  readonly mounts: readonly LaunchMount[];
  /** The machine's own mounts to show in a root of its own. `overlay`: something is to be mounted below that is not there. */
  readonly hostMounts: readonly { readonly path: string; readonly overlay: boolean }[];
  readonly hostname: string | undefined;
  readonly workingDirectory: string;
  readonly security: ContainerSpec["security"];
  readonly oomScoreAdjust: number;
  readonly command: readonly string[];
}

export interface CommandLine {
  readonly file: string;
  readonly args: readonly string[];
}

/** One word of a shell command. */
export const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** Stands in the arguments of every step until the container's own program takes the process over. */
export const lastStep = `cd -- "$1" && shift && exec "$@"`;

const devices = ["null", "zero", "full", "random", "urandom", "tty"];

/** The command that becomes the container's process; its pid stays the same through every `exec` on the way. */
export function commandLine(launch: Launch): CommandLine {
  const { isolation, workingDirectory, command } = launch;
  const run = [...privileges(launch.security), "/bin/sh", "-c", lastStep, "sh", workingDirectory, ...command];
  const [file = "", ...args] = run;
  if (isolation === "links") return { file, args };
  const steps = isolation === "overlay" ? overlaySteps(launch) : bindSteps(launch);
  const enter = isolation === "overlay" ? ["chroot", `${launch.directory}/root`, ...run] : run;
  const script = ["set -e", ...steps, `exec ${enter.map(quoted).join(" ")}`].join("\n");
  return { file: "unshare", args: ["--mount", "--uts", "--propagation", "private", "/bin/sh", "-c", script] };
}

function privileges({ runAsUser, runAsGroup, supplementalGroups, noNewPrivileges }: ContainerSpec["security"]): string[] {
  const words: string[] = [];
  if (runAsUser !== undefined) words.push(`--reuid=${runAsUser}`);
  if (runAsUser !== undefined || runAsGroup !== undefined) words.push(`--regid=${runAsGroup ?? 0}`);
  if (supplementalGroups.length > 0) words.push(`--groups=${supplementalGroups.join(",")}`);
  else if (words.length > 0) words.push("--clear-groups");
  if (noNewPrivileges) words.push("--no-new-privs");
  return words.length === 0 ? [] : ["setpriv", ...words];
}

function commonSteps({ hostname, oomScoreAdjust }: Launch): string[] {
  return [
    ...(hostname === undefined ? [] : [`echo ${quoted(hostname)} > /proc/sys/kernel/hostname`]),
    `echo ${oomScoreAdjust} > /proc/self/oom_score_adj 2>/dev/null || :`,
  ];
}

function mountSteps(mounts: readonly LaunchMount[], root: string): string[] {
  return mounts
    .toSorted((a, b) => a.containerPath.length - b.containerPath.length)
    .flatMap(({ hostPath, containerPath, isDirectory, readOnly }) => {
      const target = quoted(root + containerPath);
      return [
        isDirectory ? `mkdir -p ${target}` : `mkdir -p "$(dirname ${target})"; [ -e ${target} ] || : > ${target}`,
        `mount --${isDirectory ? "r" : ""}bind ${quoted(hostPath)} ${target}`,
        ...(readOnly ? [`mount -o remount,bind,ro ${target}`] : []),
      ];
    });
}

function bindSteps(launch: Launch): string[] {
  return [...commonSteps(launch), ...mountSteps(launch.mounts, "")];
}

function overlaySteps(launch: Launch): string[] {
  const { directory, hostMounts, mounts, security } = launch;
  const root = `${directory}/root`;
  const overlay = (lower: string, name: string, target: string): string => {
    const [upper, work] = [`${directory}/${name}-upper`, `${directory}/${name}-work`];
    const options = quoted(`lowerdir=${escaped(lower)},upperdir=${escaped(upper)},workdir=${escaped(work)}`);
    return `mkdir -p ${quoted(upper)} ${quoted(work)} && mount -t overlay overlay -o ${options} ${quoted(target)}`;
  };
  const dev = quoted(`${root}/dev`);
  return [
    ...commonSteps(launch),
    `mkdir -p ${quoted(root)}`,
    overlay("/", "root", root),
    ...hostMounts.map(({ path, overlay: above }, index) => {
      const bind = `mount --rbind ${quoted(path)} ${quoted(root + path)} 2>/dev/null || :`;
      return above ? `(${overlay(path, `mount${index}`, root + path)}) 2>/dev/null || ${bind}` : bind;
    }),
    `mount --rbind /proc ${quoted(`${root}/proc`)}`,
    `mount -t tmpfs -o mode=755 tmpfs ${dev}`,
    `for d in ${devices.join(" ")}; do : > ${dev}/$d; mount --bind /dev/$d ${dev}/$d; done`,
    `mkdir ${dev}/pts ${dev}/shm; mount --bind /dev/pts ${dev}/pts || :; mount -t tmpfs -o mode=1777 tmpfs ${dev}/shm`,
    `ln -s /proc/self/fd ${dev}/fd; ln -s fd/0 ${dev}/stdin; ln -s fd/1 ${dev}/stdout; ln -s fd/2 ${dev}/stderr; ln -s pts/ptmx ${dev}/ptmx`,
    ...mountSteps(mounts, root),
    ...(security.readOnlyRootFilesystem ? [`mount -o remount,ro ${quoted(root)}`] : []),
  ];
}

/** Overlay options part at `:`, `,` and `\`. */
const escaped = (path: string): string => path.replaceAll(/[\\:,]/g, "\\$&");

/** The variables that a process starts with beside the container's own. */
export function baseEnvironment(sandbox: Pick<SandboxSpec, "hostname">, runAsUser: number | undefined): Record<string, string> {
  return {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOSTNAME: sandbox.hostname,
    HOME: runAsUser === undefined || runAsUser === 0 ? "/root" : "/",
  };
}

/** `/etc/config` → `CORACLE_MOUNT_ETC_CONFIG`. */
export function mountVariable(containerPath: string): string {
  return `CORACLE_MOUNT${containerPath
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]+/g, "_")
    .replace(/_$/, "")}`;
}
