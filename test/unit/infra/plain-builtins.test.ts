import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { afterAll, expect, test } from "vitest";
import { plainHttp } from "../../../infra/plain-http.ts";

const code = `
const { Agent, request } = await import("node:http");
const loaded = process.moduleLoadList.some((name) => name.includes("undici/undici"));
console.log(JSON.stringify([typeof Agent, typeof request, loaded]));`;
const folder = mkdtempSync(join(tmpdir(), "coracle-http-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(name: string, plugins: Plugin[]): Promise<unknown> {
  const outfile = join(folder, `${name}.mjs`);
  await build({ stdin: { contents: code, resolveDir: folder }, outfile, bundle: true, format: "esm", platform: "node", plugins });
  return JSON.parse(execFileSync(process.execPath, [outfile], { encoding: "utf8" }));
}

test("a bundle takes node:http without undici, which an import of it loads", async () => {
  expect(await run("as-it-is", [])).toEqual(["function", "function", true]);
  expect(await run("plain", [plainHttp])).toEqual(["function", "function", false]);
});
