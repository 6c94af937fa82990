import { cpSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { packages, stampOf as stampHere } from "../../../shared/compiled.mjs";

let folder = "";

const write = (path: string, text: string): void => {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), text);
};

/** A repository of one program, and what was made of it. */
async function bundled(repository = pathToFileURL(`${folder}/`).href): Promise<void> {
  const { stampOf } = await compiled();
  const inputs = Object.fromEntries([packages, "server/run.ts", "shared/a.ts"].map((path) => [path, stampOf(path)]));
  const made = { repository, programs: { "server/run.ts": "server/run.mjs" }, inputs };
  write("node_modules/.cache/coracle/bundle/manifest.json", JSON.stringify(made));
}

const compiled = (): Promise<typeof import("../../../shared/compiled.mjs")> =>
  import(pathToFileURL(join(folder, "shared/compiled.mjs")).href);
const run = async (): Promise<string> => (await (await compiled()).importProgram("server/run.ts")).from;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "coracle-compiled-"));
  cpSync(join(import.meta.dirname, "../../../shared/compiled.mjs"), join(folder, "shared/compiled.mjs"), { recursive: true });
  write("package.json", '{ "type": "module" }');
  write(packages, "{}");
  write("server/run.ts", 'export const from: string = "source";');
  write("shared/a.ts", "");
  write("node_modules/.cache/coracle/bundle/server/run.mjs", 'export const from = "bundle";');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("runs a program as it was bundled while nothing has changed since", async () => {
  await bundled();
  expect(await run()).toBe("bundle");
});

it.each([
  ["nothing was bundled", () => {}],
  ["the manifest is cut off", () => write("node_modules/.cache/coracle/bundle/manifest.json", '{ "repo')],
  ["a source has changed", () => bundled().then(() => write("shared/a.ts", "// more"))],
  ["a source was written again", () => bundled().then(() => utimesSync(join(folder, "server/run.ts"), 1, 1))],
  ["a source is gone", () => bundled().then(() => rmSync(join(folder, "shared/a.ts")))],
  ["other packages were installed", () => bundled().then(() => write(packages, "{ }"))],
  ["it was bundled elsewhere", () => bundled("file:///elsewhere/")],
])("runs its source when %s", async (_, change) => {
  await change();
  expect(await run()).toBe("source");
});

it("tells a file by its size and time", () => {
  expect(stampHere("shared/compiled.mjs")).toMatch(/^\d+ [\d.]+$/);
  expect(stampHere("shared/none.ts")).toBeUndefined();
});
