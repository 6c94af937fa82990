import { existsSync, linkSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** How often another one may be faster. */
const attempts = 100;

/**
 * One process a folder: two would each believe to know what the other has not written yet. The lock is the last of the files `lock-1`, `lock-2`, …: where its
 * process is gone, or has let go of it, the next one is made, whole or not at all and never in the place of another. So of several that find the same lock
 * stale one alone comes next; and the last file is never taken away, so that one who comes late with a file that is gone by then sees that it is not the last.
 * @throws Error
 */
export function lockDirectory(folder: string): () => void {
  const candidate = join(folder, `lock-of-${process.pid}`);
  rmSync(candidate, { force: true });
  writeFileSync(candidate, identityOf(process.pid) ?? String(process.pid), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const last = Math.max(0, ...generationsIn(folder));
      refuseHeld(fileOf(folder, last));
      const own = fileOf(folder, last + 1);
      if (!isLinked(candidate, own)) continue;
      const found = generationsIn(folder);
      if (found.some((each) => each > last + 1)) {
        rmSync(own, { force: true });
        continue;
      }
      for (const each of found) if (each <= last) rmSync(fileOf(folder, each), { force: true });
      return () => {
        if (existsSync(own)) truncateSync(own);
      };
    }
  } finally {
    rmSync(candidate, { force: true });
  }
  throw new Error(`the lock of ${folder} could not be taken`);
}

/** 0: as the lock was called when there was but one file. */
const fileOf = (folder: string, generation: number): string => join(folder, generation === 0 ? "lock" : `lock-${generation}`);

const generationsIn = (folder: string): number[] =>
  readdirSync(folder).flatMap((name) => {
    const [isLock, generation = "0"] = /^lock(?:-([1-9]\d*))?$/.exec(name) ?? [];
    return isLock === undefined ? [] : [Number(generation)];
  });

/** Answers whether there was no such file yet. */
function isLinked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  }
}

function refuseHeld(file: string): void {
  let holder: string;
  try {
    holder = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return;
  }
  const pid = Number.parseInt(holder, 10);
  if (pid > 0 && pid !== process.pid && isAlive(pid) && (identityOf(pid) ?? holder) === holder)
    throw new Error(`another process (${pid}) works on this data directory`);
}

/** Process id and start time, so that a reused id is not taken for the holder. */
function identityOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return `${pid} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
