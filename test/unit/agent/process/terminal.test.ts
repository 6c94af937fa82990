import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { terminalSizer } from "../../../../agent/process/terminal.ts";
import type { TerminalSize } from "../../../../agent/runtime.ts";

const [small, middle, large]: [TerminalSize, TerminalSize, TerminalSize] = [
  { columns: 80, rows: 24 },
  { columns: 99, rows: 33 },
  { columns: 200, rows: 60 },
];

describe("terminalSizer", () => {
  it("carries out one size at a time and ends with the last, though an earlier one takes longer", async () => {
    const seen: string[] = [];
    const sizer = terminalSizer(
      () => 7,
      async (pid, { columns }) => {
        seen.push(`${pid} begins ${columns}`);
        await delay(columns === small.columns ? 20 : 0);
        seen.push(`${pid} has ${columns}`);
        return true;
      },
    );
    for (const size of [small, large, middle]) sizer(size);
    await vi.waitFor(() => expect(seen.at(-1)).toBe("7 has 99"));
    expect(seen).toEqual(["7 begins 80", "7 has 80", "7 begins 99", "7 has 99"]);
    sizer(large);
    await vi.waitFor(() => expect(seen.at(-1)).toBe("7 has 200"));
  });

  it("tries again while there is no process, no terminal, or a failure", async () => {
    const answers = [() => Promise.resolve(false), () => Promise.reject(new Error("stty failed")), () => Promise.resolve(true)];
    const pids = [undefined, 7, 7, 7];
    const tried: number[] = [];
    const sizer = terminalSizer(
      () => pids.shift(),
      (pid) => {
        tried.push(pid);
        return (answers.shift() ?? (() => Promise.resolve(true)))();
      },
    );
    sizer(small);
    await vi.waitFor(() => expect(tried).toEqual([7, 7, 7]));
    await delay(50);
    expect(tried).toHaveLength(3);
  });
});
