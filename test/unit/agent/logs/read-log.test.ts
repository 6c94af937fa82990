import { appendFile, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { readLog } from "../../../../agent/logs/read-log.ts";
import type { LogOptions } from "../../../../shared/api/agent/protocol.ts";
import { systemClock } from "../../../../shared/clock.ts";

const line = (second: number, text: string, stream = "stdout", tag = "F") =>
  `2026-01-01T00:00:${String(second).padStart(2, "0")}.000000000Z ${stream} ${tag} ${text}\n`;

const made: string[] = [];
afterEach(async () => {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true, force: true });
});

async function logFile(content: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "log-"));
  made.push(directory);
  const path = join(directory, "0.log");
  await writeFile(path, content);
  return path;
}

const text = (path: string, options: LogOptions, isRunning = () => false) =>
  new Response(readLog({ path, options, clock: systemClock, isRunning })).text();

test("joins partial lines and shows both streams", async () => {
  const path = await logFile(line(0, "hel", "stdout", "P") + line(0, "lo") + line(1, "oops", "stderr"));
  expect(await text(path, {})).toBe("hello\noops\n");
  expect(await text(path, { stream: "Stderr" })).toBe("oops\n");
});

test.each([
  [{ tailLines: 2 }, "b\nc\n"],
  [{ tailLines: 0 }, ""],
  [{ tailLines: 9 }, "a\nb\nc\n"],
  [{ limitBytes: 3 }, "a\nb"],
  [{ sinceTime: "2026-01-01T00:00:01Z" }, "b\nc\n"],
  [{ tailLines: 1, timestamps: true }, "2026-01-01T00:00:02.000000000Z c\n"],
] satisfies [LogOptions, string][])("selects by %j", async (options, expected) => {
  expect(await text(await logFile(line(0, "a") + line(1, "b") + line(2, "c")), options)).toBe(expected);
});

test("reads rotated parts before the current file, tail included", async () => {
  const path = await logFile(line(2, "c"));
  await writeFile(`${path}.20260101-000001`, line(0, "a") + line(1, "b"));
  expect(await text(path, {})).toBe("a\nb\nc\n");
  expect(await text(path, { tailLines: 2 })).toBe("b\nc\n");
});

test("follows until the container ends, over a rotation", async () => {
  const path = await logFile(line(0, "a"));
  let running = true;
  const reading = text(path, { follow: true }, () => running);
  await appendFile(path, line(1, "b"));
  await rename(path, `${path}.1`);
  await writeFile(path, line(2, "c"));
  const reader = readLog({ path, options: { follow: true, tailLines: 1 }, clock: systemClock, isRunning: () => running }).getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toBe("c\n");
  await reader.cancel();
  running = false;
  expect(await reading).toBe("a\nb\nc\n");
});

test("a container that has written nothing has an empty log", async () => {
  expect(await text(join(tmpdir(), "no", "such", "0.log"), {})).toBe("");
});
