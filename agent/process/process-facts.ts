import { readFileSync } from "node:fs";

/** When a process began, in ticks since boot, or an empty text when there is no such process (or no /proc). */
export function startTicksOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name in parentheses may hold anything; fields are counted from behind it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? "" : (fields[19] ?? "");
  } catch {
    return "";
  }
}

/** Whether this very process still runs. */
export function isAlive({ pid, startTicks }: { readonly pid: number; readonly startTicks: string }): boolean {
  if (startTicks !== "") return startTicksOf(pid) === startTicks;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Asked to end is the container's first process alone, which tells its children itself if it wants; killed is its whole session. */
export const targetOf = (pid: number, signal: "SIGTERM" | "SIGKILL"): number => (signal === "SIGKILL" ? -pid : pid);
