import { existsSync, linkSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** How often another one may be faster. */
const attempts = 100;

/**
 * One process a folder: two would each believe to know what the other has not written yet. The lock is the last of the files `lock-1`, `lock-2`, …: where its
 * process is gone, or has let go of it, the next one is made, whole or not at all and never in the place of another. So of several that find the same lock
 * stale one alone comes next; and the last file is never taken away, so that one who comes late with a file that is gone by then sees that it is not the last.
 *
 * A file system without hard links makes no file whole: who sees a lock that is not written yet takes it for one let go of. So the ones before are looked at
 * again once the own one is there, written: of two who take what follows each other one sees the other's, or both do and neither gets it.
 * @throws Error
 */
export function lockDirectory(folder: string, link = linkSync): () => void {
  const candidate = join(folder, `lock-of-${process.pid}`);
  rmSync(candidate, { force: true });
  const identity = identityOf(process.pid) ?? String(process.pid);
  writeFileSync(candidate, identity, { mode: 0o600 });
  const make = (own: string): void => {
    try {
      link(candidate, own);
    } catch (error) {
      if (!withoutHardLinks.has(codeOf(error))) throw error;
      writeFileSync(own, identity, { mode: 0o600, flag: "wx" });
    }
  };
  try {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const last = Math.max(0, ...refuseHeld(folder, generationsIn(folder)));
      const own = fileOf(folder, last + 1);
      if (!isNew(() => make(own))) continue;
      const found = generationsIn(folder);
      if (found.some((each) => each > last + 1)) {
        rmSync(own, { force: true });
        continue;
      }
      const before = found.filter((each) => each <= last);
      try {
        refuseHeld(folder, before);
      } catch (error) {
        rmSync(own, { force: true });
        throw error;
      }
      for (const each of before) rmSync(fileOf(folder, each), { force: true });
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

/** What `link` fails with on a file system that has no hard links (SMB, exFAT, some of FUSE). */
const withoutHardLinks: ReadonlySet<string | undefined> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** Answers whether there was no such file yet. */
function isNew(make: () => void): boolean {
  try {
    make();
    return true;
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
    return false;
  }
}

/** Answers the same locks where no process that lives holds one of them: also one of the earlier form. @throws Error */
function refuseHeld(folder: string, generations: readonly number[]): readonly number[] {
  for (const generation of generations) {
    const pid = holderOf(fileOf(folder, generation));
    if (pid !== undefined) throw new Error(`another process (${pid}) works on this data directory`);
  }
  return generations;
}

function holderOf(file: string): number | undefined {
  let holder: string;
  try {
    holder = readFileSync(file, "utf8");
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    return undefined;
  }
  const pid = Number.parseInt(holder, 10);
  return pid > 0 && pid !== process.pid && isAlive(pid) && (identityOf(pid) ?? holder) === holder ? pid : undefined;
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
    return codeOf(error) === "EPERM";
  }
}
