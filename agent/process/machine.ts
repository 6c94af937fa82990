import { execFile } from "node:child_process";
import { access, constants, lstat, mkdir, readdir, readFile, realpath, rm, stat, symlink, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import type { ContainerSpec } from "../runtime.ts";
import type { Isolation, LaunchMount } from "./launch.ts";

const run = promisify(execFile);

/** The best that this machine allows this user, found out by trying it in a namespace that is thrown away. */
export async function detectIsolation(directory: string): Promise<Isolation> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "links";
  const probe = join(directory, "isolation-probe");
  await Promise.all(["upper", "work", "root"].map((name) => mkdir(join(probe, name), { recursive: true })));
  const tries = async (script: string): Promise<boolean> =>
    run("unshare", ["--mount", "--uts", "--propagation", "private", "/bin/sh", "-c", script, "sh", probe]).then(
      () => true,
      () => false,
    );
  try {
    const overlay = `mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root" && [ -d "$1/root/proc" ]`;
    if (await tries(overlay)) return "overlay";
    return (await tries(`mount --bind "$1/upper" "$1/root"`)) ? "bind" : "links";
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
}

/** Mounts with canonical targets: a symlink on the way (`/var/run`) would lead out of a root of its own. */
export async function isolatedMounts(mounts: ContainerSpec["mounts"]): Promise<LaunchMount[]> {
  return Promise.all(
    mounts.map(async ({ hostPath, containerPath, readOnly }) => ({
      hostPath,
      containerPath: await canonical(containerPath),
      isDirectory: (await stat(hostPath)).isDirectory(),
      readOnly,
    })),
  );
}

async function canonical(path: string): Promise<string> {
  const trimmed = path.length > 1 ? path.replace(/\/+$/, "") : path;
  const real = await realpath(trimmed).catch(() => undefined);
  if (real !== undefined) return real;
  const parent = dirname(trimmed);
  const base = await canonical(parent);
  return join(base, trimmed.slice(parent === "/" ? 1 : parent.length + 1));
}

/** The machine's mounts directly below its root that a root of its own has to show, without `/proc` and `/dev` and what is the agent's. */
export async function hostMountsFor(mounts: readonly LaunchMount[], own: string): Promise<{ path: string; overlay: boolean }[]> {
  const table = await readFile("/proc/self/mounts", "utf8");
  const all = table.split("\n").flatMap((line) => {
    const path = line.split(" ")[1]?.replaceAll(/\\([0-7]{3})/g, (_match, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    return path === undefined || path === "/" ? [] : [path];
  });
  const hidden = ["/proc", "/dev", dirname(own)];
  const shown = [...new Set(all)].filter((path) => !hidden.some((prefix) => path === prefix || path.startsWith(`${prefix}/`)));
  const top = shown.filter((path) => !shown.some((other) => other !== path && path.startsWith(`${other}/`)));
  const missing: string[] = [];
  for (const { containerPath } of mounts) if ((await stat(containerPath).catch(() => undefined)) === undefined) missing.push(containerPath);
  const existing: { path: string; overlay: boolean }[] = [];
  for (const path of top) {
    const facts = await stat(path).catch(() => undefined);
    if (facts?.isDirectory()) existing.push({ path, overlay: missing.some((target) => target.startsWith(`${path}/`)) });
  }
  return existing;
}

/** Whether a program is there to be run, on the machine or in one of the mounts. */
export async function findExecutable(program: string, searchPath: string, mounts: readonly LaunchMount[]): Promise<boolean> {
  const candidates = program.includes("/") ? [program] : searchPath.split(":").map((directory) => join(directory, program));
  for (const candidate of candidates) {
    const mount = mounts.find(({ containerPath }) => candidate === containerPath || candidate.startsWith(`${containerPath}/`));
    const path = mount === undefined ? candidate : mount.hostPath + candidate.slice(mount.containerPath.length);
    // A relative path depends on the working directory inside: the shell will tell.
    if (program.includes("/") && !program.startsWith("/")) return true;
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    ) {
      return true;
    }
  }
  return false;
}

/** Symlinks at mount paths where nothing is, remembered in `record` to be removed with the pod. */
export async function createLinks(record: string, mounts: ContainerSpec["mounts"]): Promise<void> {
  const made: string[] = await readLinks(record);
  for (const { hostPath, containerPath } of mounts) {
    if ((await lstat(containerPath).catch(() => undefined)) !== undefined) continue;
    try {
      await mkdir(dirname(containerPath), { recursive: true });
      await symlink(hostPath, containerPath);
      made.push(containerPath);
    } catch {
      // Not writable for this user: the variable alone tells where the mount is.
    }
  }
  await writeFile(record, JSON.stringify(made));
}

export async function removeLinks(record: string): Promise<void> {
  for (const path of await readLinks(record)) {
    const facts = await lstat(path).catch(() => undefined);
    if (facts?.isSymbolicLink()) await unlink(path);
  }
}

async function readLinks(record: string): Promise<string[]> {
  const text = await readFile(record, "utf8").catch(() => "[]");
  return z.array(z.string()).parse(JSON.parse(text));
}

/** Ends what a container left behind in other process groups: its environment names it. */
export async function killStragglers(containerId: string): Promise<void> {
  const entries: string[] = await readdir("/proc").catch(() => []);
  const mark = `CORACLE_CONTAINER_ID=${containerId}`;
  for (const entry of entries) {
    if (!/^\d+$/.test(entry)) continue;
    const environment = await readFile(`/proc/${entry}/environ`, "latin1").catch(() => "");
    if (!environment.split("\0").includes(mark)) continue;
    try {
      process.kill(Number(entry), "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
}
