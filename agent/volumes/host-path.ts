import { lstat, mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { VolumeError } from "./payload.ts";

/** Checks, and for the `…OrCreate` types makes, what a hostPath volume names. @throws VolumeError in kubelet's words. */
export async function ensureHostPath(path: string, type: string): Promise<void> {
  if (type === "DirectoryOrCreate") {
    await mkdir(path, { recursive: true, mode: 0o755 });
  } else if (type === "FileOrCreate") {
    await lstat(dirname(path)).catch(() => refuse(path, "file"));
    await (await open(path, "a", 0o644)).close();
  }
  if (type === "") return;
  const facts = await stat(path).catch(() => undefined);
  if (type.startsWith("Directory") && !facts?.isDirectory()) refuse(path, "directory");
  if (type.startsWith("File") && !facts?.isFile()) refuse(path, "file");
  if (type === "Socket" && !facts?.isSocket()) refuse(path, "socket file");
  if (type === "CharDevice" && !facts?.isCharacterDevice()) refuse(path, "character device");
  if (type === "BlockDevice" && !facts?.isBlockDevice()) refuse(path, "block device");
}

function refuse(path: string, what: string): never {
  throw new VolumeError(`hostPath type check failed: ${path} is not a ${what}`);
}
