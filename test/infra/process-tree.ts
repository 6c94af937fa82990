import { execFileSync } from "node:child_process";

/** All that a process started and what those started, whichever groups and sessions they are in. */
export function descendantsOf(root: number): number[] {
  const children = new Map<number, number[]>();
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  for (const [, pid, parent] of table.matchAll(/^\s*(\d+)\s+(\d+)$/gm))
    children.set(Number(parent), [...(children.get(Number(parent)) ?? []), Number(pid)]);
  const found: number[] = [];
  for (const next = [root]; next.length > 0; ) {
    const below = children.get(next.pop() ?? 0) ?? [];
    found.push(...below);
    next.push(...below);
  }
  return found;
}

export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
