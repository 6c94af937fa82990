import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Memory-backed directories. A port, because mounting needs root. */
export interface Tmpfs {
  /** Mounts one on an existing directory; what is one already stays. */
  mount(directory: string, options: { readonly sizeBytes: number | undefined; readonly mode: number }): Promise<void>;
  /** Idempotent. */
  unmount(directory: string): Promise<void>;
}

/** Real ones, for root on Linux. */
export const mountedTmpfs: Tmpfs = {
  async mount(directory, { sizeBytes, mode }) {
    if (await isMounted(directory)) return;
    const options = [`mode=${mode.toString(8)}`, ...(sizeBytes === undefined ? [] : [`size=${sizeBytes}`])];
    await run("mount", ["-t", "tmpfs", "-o", options.join(","), "tmpfs", directory]);
  },
  async unmount(directory) {
    if (await isMounted(directory)) await run("umount", ["-l", directory]);
  },
};

/** Plain directories, where the agent may not mount. */
export const noTmpfs: Tmpfs = { async mount() {}, async unmount() {} };

async function isMounted(directory: string): Promise<boolean> {
  const mounts = await readFile("/proc/self/mounts", "utf8");
  return mounts.split("\n").some((line) => line.split(" ")[1]?.replaceAll("\\040", " ") === directory);
}
