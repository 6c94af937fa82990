import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Payload } from "./payload.ts";

const dataLink = "..data";

/**
 * Writes a volume's files so that a reader sees either all old or all new ones, as kubelet's AtomicWriter does: the files lie in a
 * fresh directory, `..data` is a symlink that is swapped, and what users see are symlinks through it. `groupId` owns the files if given.
 * Answers whether anything changed.
 */
export async function writeAtomically(target: string, payload: Payload, groupId: number | undefined): Promise<boolean> {
  await mkdir(target, { recursive: true, mode: 0o777 });
  const current = await readlink(join(target, dataLink)).catch(() => undefined);
  if (current !== undefined && (await holds(join(target, current), payload))) return false;

  const fresh = await mkdtemp(join(target, "..v_"));
  await chmod(fresh, 0o755);
  for (const [path, { content, mode }] of payload) {
    const file = join(fresh, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    await writeFile(file, content);
    await chmod(file, groupId === undefined ? mode : mode | 0o040);
    if (groupId !== undefined) await chown(file, -1, groupId);
  }
  const temporary = join(target, "..data_tmp");
  await rm(temporary, { force: true });
  await symlink(fresh.slice(target.length + 1), temporary);
  await rename(temporary, join(target, dataLink));

  const visible = new Set([...payload.keys()].map((path) => path.split("/")[0] ?? path));
  for (const entry of visible) {
    const link = join(target, entry);
    const there = await lstat(link).catch(() => undefined);
    if (there === undefined) await symlink(join(dataLink, entry), link);
  }
  for (const entry of await readdir(target)) {
    if (!entry.startsWith("..") && !visible.has(entry)) await unlink(join(target, entry));
  }
  if (current !== undefined) await rm(join(target, current), { recursive: true, force: true });
  return true;
}

async function holds(directory: string, payload: Payload): Promise<boolean> {
  const existing = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (existing === undefined || existing.filter((entry) => entry.isFile()).length !== payload.size) return false;
  for (const [path, { content, mode }] of payload) {
    const file = join(directory, path);
    const facts = await stat(file).catch(() => undefined);
    if (facts === undefined || (facts.mode & 0o777 & ~0o040) !== (mode & 0o777 & ~0o040)) return false;
    if (!(await readFile(file)).equals(content)) return false;
  }
  return true;
}
