import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { processOn, terminalProgram, terminalSizer } from "../../../../agent/process/terminal.ts";
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

  it("tries again while there is no process or no terminal", async () => {
    const answers = [false, false, true];
    const pids = [undefined, 7, 7, 7];
    const tried: number[] = [];
    const sizer = terminalSizer(
      () => pids.shift(),
      async (pid) => {
        tried.push(pid);
        return answers.shift() ?? true;
      },
    );
    sizer(small);
    await vi.waitFor(() => expect(tried).toEqual([7, 7, 7]));
    await delay(50);
    expect(tried).toHaveLength(3);
  });

  it("does not repeat what failed on a terminal that is there", async () => {
    const tried: number[] = [];
    const sizer = terminalSizer(
      () => 7,
      async (_, { columns }) => {
        tried.push(columns);
        throw new Error("stty failed");
      },
    );
    sizer(small);
    await delay(50);
    sizer(large);
    await delay(50);
    expect(tried).toEqual([80, 200]);
  });

  describe("by the clock", () => {
    beforeEach(() => void vi.useFakeTimers());
    afterEach(() => void vi.useRealTimers());

    it.each([500, 990])("tries a size that comes %d ms after the first for a second of its own", async (afterMs) => {
      let pid: number | undefined;
      const tried: string[] = [];
      const sizer = terminalSizer(
        () => pid,
        async (_, { columns }) => tried.push(`${columns}`) > 0,
      );
      sizer(small);
      await vi.advanceTimersByTimeAsync(afterMs);
      sizer(large);
      await vi.advanceTimersByTimeAsync(950);
      pid = 7;
      await vi.advanceTimersByTimeAsync(30);
      expect(tried).toEqual(["200"]);
    });

    it("gives a size up after a second, and not the next one", async () => {
      let pid: number | undefined;
      const tried: number[] = [];
      const sizer = terminalSizer(
        () => pid,
        async (_, { columns }) => tried.push(columns) > 0,
      );
      sizer(small);
      await vi.advanceTimersByTimeAsync(1100);
      pid = 7;
      await vi.advanceTimersByTimeAsync(1100);
      expect(tried).toEqual([]);
      sizer(large);
      await vi.advanceTimersByTimeAsync(0);
      expect(tried).toEqual([200]);
    });
  });

  describe("with an stty that hangs", () => {
    let folder: string;
    let terminal: ChildProcess;
    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), "coracle-stty-"));
      writeFileSync(join(folder, "stty"), `#!/bin/sh\necho "$6" >> ${folder}/sizes\nexec sleep 10\n`, { mode: 0o755 });
      vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
      terminal = spawn(terminalProgram, ["-q", "-c", "exec sleep 60", "/dev/null"], { stdio: ["pipe", "ignore", "ignore"] });
      await vi.waitFor(() => expect(processOn(terminal.pid ?? 0)).toBeDefined());
    });
    afterEach(() => {
      vi.unstubAllEnvs();
      terminal.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    });

    it("carries out the next size all the same", async () => {
      const sizes = (): string => (existsSync(join(folder, "sizes")) ? readFileSync(join(folder, "sizes"), "utf8") : "");
      const sizer = terminalSizer(() => processOn(terminal.pid ?? 0));
      sizer(small);
      await vi.waitFor(() => expect(sizes()).toBe("80\n"), 5000);
      sizer(large);
      await vi.waitFor(() => expect(sizes()).toBe("80\n200\n"), 5000);
    });
  });
});
