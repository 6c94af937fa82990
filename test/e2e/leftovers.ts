import { execFile } from "node:child_process";
import { readdir, readFile, readlink, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";

const run = promisify(execFile);
const started = z.object({ pid: z.number().int().positive() });

/** Ends the pods of process nodes whose state lies under a directory, takes their mounts away, and removes the directory. */
export async function removeWithLeftovers(directory: string): Promise<void> {
  const files = await readdir(directory, { recursive: true }).catch(() => []);
  // The supervisor first: it would write how its containers ended.
  for (const name of files.filter((file) => basename(file) === "shim.pid")) await endProcess(join(directory, name), directory);
  for (const name of files.filter((file) => basename(file) === "started.json")) await endGroup(join(directory, name));
  const mounts = await readFile("/proc/self/mounts", "utf8").catch(() => "");
  const below = mounts.split("\n").flatMap((line) => line.split(" ")[1] ?? []);
  for (const mount of below.filter((path) => path.startsWith(`${directory}/`)).reverse())
    await run("umount", ["-l", mount]).catch(() => {});
  await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** By what it was started with: a pid alone may be somebody else's by now. */
async function endProcess(pidFile: string, directory: string): Promise<void> {
  const pid = Number(await readFile(pidFile, "utf8").catch(() => ""));
  if (!Number.isInteger(pid) || pid <= 1) return;
  const workingDirectory = await readlink(`/proc/${pid}/cwd`).catch(() => "");
  if (workingDirectory.startsWith(directory)) kill(pid);
}

async function endGroup(recordFile: string): Promise<void> {
  const record = started.safeParse(JSON.parse(await readFile(recordFile, "utf8").catch(() => "null")));
  if (!record.success) return;
  const container = basename(join(recordFile, ".."));
  const environment = await readFile(`/proc/${record.data.pid}/environ`, "utf8").catch(() => "");
  if (environment.includes(container)) kill(-record.data.pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
