import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { lockDirectory } from "../../../server/directory-lock.ts";
import type { Answer, Told } from "./locking-process.ts";

let folder: string;
let processes: ChildProcess[];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "coracle-lock-"));
  processes = Array.from({ length: 2 }, () => fork(new URL("./locking-process.ts", import.meta.url), { execArgv: [] }));
});
afterAll(() => {
  for (const each of processes) each.kill();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
});

async function tell(child: ChildProcess | undefined, told: Told): Promise<Answer> {
  if (!child) throw new Error("there is no such process");
  const answer = once(child, "message");
  child.send(told);
  return (await answer)[0] as Answer;
}
const lockBy = (child: ChildProcess | undefined, atMs = 0, withoutLinks = false): Promise<Answer> =>
  tell(child, { lock: folder, atMs, withoutLinks });
const heldElsewhere = { refused: expect.stringContaining("works on this data directory") };

it("is one process's until it lets go of it or is gone", async () => {
  const [first, second] = processes;
  expect(await lockBy(first)).toBe("held");
  expect(await lockBy(second)).toEqual(heldElsewhere);
  await tell(first, "release");
  expect(await lockBy(second)).toBe("held");
  expect(() => lockDirectory(folder)).toThrow("works on this data directory");
  const third = fork(new URL("./locking-process.ts", import.meta.url), { execArgv: [] });
  await tell(second, "release");
  expect(await lockBy(third)).toBe("held");
  third.kill("SIGKILL");
  await once(third, "exit");
  lockDirectory(folder)();
  expect(readdirSync(folder)).toHaveLength(1);
});

it("goes to one of two processes that find it stale at once", async () => {
  let rounds = 0;
  for (; rounds < 150; rounds++) {
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    writeFileSync(join(folder, "lock"), "4194305 1");
    const atMs = Date.now() + 5;
    const answers = await Promise.all(processes.map((child) => lockBy(child, atMs)));
    expect(answers.filter((answer) => answer === "held")).toHaveLength(1);
    expect(answers).toContainEqual(heldElsewhere);
    await Promise.all(processes.map((child) => tell(child, "release")));
  }
  expect(rounds).toBe(150);
});

it("goes to one of two processes, whatever the ones before them left", async () => {
  for (let round = 0; round < 50; round++) {
    const answers = await Promise.all(processes.map((child) => lockBy(child, Date.now() + 5)));
    expect(answers.filter((answer) => answer === "held")).toHaveLength(1);
    await Promise.all(processes.map((child) => tell(child, "release")));
  }
  expect(readdirSync(folder)).toHaveLength(1);
});

/** What the lock of a process says; the file that it leaves behind says nothing any more. */
async function heldBy(child: ChildProcess | undefined): Promise<{ name: string; content: string }> {
  expect(await lockBy(child)).toBe("held");
  const [name = ""] = readdirSync(folder);
  const content = readFileSync(join(folder, name), "utf8");
  await tell(child, "release");
  return { name, content };
}

it("is not got beside a process of an earlier version, whose lock has the earlier name", async () => {
  const [first, second] = processes;
  const { name, content } = await heldBy(first);
  writeFileSync(join(folder, "lock"), content);
  expect(await lockBy(second)).toEqual(heldElsewhere);
  expect(readdirSync(folder).sort()).toEqual(["lock", name]);
});

describe("on a file system without hard links", () => {
  it("is one process's until it lets go of it", async () => {
    const [first, second] = processes;
    expect(await lockBy(first, 0, true)).toBe("held");
    expect(await lockBy(second, 0, true)).toEqual(heldElsewhere);
    await tell(first, "release");
    expect(await lockBy(second, 0, true)).toBe("held");
    expect(readdirSync(folder)).toHaveLength(1);
    await tell(second, "release");
  });

  it("never goes to two processes that find it stale at once", async () => {
    let held = 0;
    for (let round = 0; round < 150; round++) {
      const answers = await Promise.all(processes.map((child) => lockBy(child, Date.now() + 5, true)));
      const holders = answers.filter((answer) => answer === "held").length;
      expect(holders).toBeLessThan(2);
      expect(answers.filter((answer) => answer !== "held")).toEqual(Array.from({ length: 2 - holders }, () => heldElsewhere));
      held += holders;
      await Promise.all(processes.map((child) => tell(child, "release")));
    }
    expect(held).toBeGreaterThan(50);
  });

  it("is left to one whose lock was not written yet when it was looked at first", async () => {
    const { name, content } = await heldBy(processes[0]);
    const linkLate = (): never => {
      writeFileSync(join(folder, name), content);
      throw Object.assign(new Error("operation not permitted"), { code: "EPERM" });
    };
    expect(() => lockDirectory(folder, linkLate)).toThrow("works on this data directory");
    expect(readdirSync(folder)).toEqual([name]);
  });
});
