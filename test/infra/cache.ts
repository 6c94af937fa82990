import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export const run = promisify(execFile);

/** A folder outside the tree for what only these tests need, filled once by `fill`: a run that was interrupted fills it anew. */
export async function cached(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "coracle", name);
  const complete = join(folder, ".complete");
  if (existsSync(complete)) return folder;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await fill(folder);
  await writeFile(complete, "");
  return folder;
}

/** A Python environment of its own with exactly these packages, as `pip install` takes them; answers its `bin`. */
export async function pythonEnvironment(name: string, python: string, packages: readonly string[]): Promise<string> {
  const folder = await cached(name, async (target) => {
    await run(python, ["-m", "venv", target]);
    await run(join(target, "bin", "pip"), ["install", "--quiet", "--disable-pip-version-check", ...packages]);
  });
  return join(folder, "bin");
}
