import { statfsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { constants } from "node:os";
import { StoreError } from "../store.ts";

const { ENOSPC, EDQUOT, EIO } = constants.errno;
/** LMDB takes a write that was cut short for an input/output error: on a disk with less room it was for want of room. */
const leastRoomBytes = 1_048_576;

export const diskFull = (cause?: unknown): StoreError =>
  new StoreError("DiskFull", "the disk is full: nothing was written", cause === undefined ? undefined : { cause });

/** LMDB writes whole pages, and those of the trees above anew. */
const pagesPerByte = 2;

/**
 * Whether so much can be written. LMDB is not asked to write what does not fit: after enough of its page spills have failed for want of
 * room, lmdb-js 3.5 ends the process ("malloc(): invalid next size"). What cannot be found out counts as room.
 */
export function hasRoom(path: string, bytes: number): boolean {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize >= leastRoomBytes + pagesPerByte * bytes;
  } catch {
    return true;
  }
}

/** What a failed write of lmdb means for callers. `path`: the folder that was written to. */
export async function explainRefusal(path: string, cause: unknown): Promise<StoreError> {
  const reason = await reasonOf(cause);
  const code = reason instanceof Error && "code" in reason ? reason.code : undefined;
  const isFull = code === ENOSPC || code === EDQUOT || (code === EIO && (await roomBytes(path)) < leastRoomBytes);
  return isFull ? diskFull(reason) : new StoreError("Unavailable", "the store cannot write", { cause: reason });
}

/** lmdb's errors carry a promise, which is rejected with the reason. */
async function reasonOf(cause: unknown): Promise<unknown> {
  if (!(cause instanceof Error && "commitError" in cause && cause.commitError instanceof Promise)) return cause;
  return cause.commitError.then(
    () => cause,
    (reason: unknown) => reason,
  );
}

async function roomBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}
