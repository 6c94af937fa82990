import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
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
const lockBy = (child: ChildProcess | undefined, atMs = 0): Promise<Answer> => tell(child, { lock: folder, atMs });
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
