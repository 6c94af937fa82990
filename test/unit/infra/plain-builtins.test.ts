import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { afterAll, expect, test } from "vitest";
import { plainBuiltins } from "../../../infra/plain-builtins.ts";

const loadedOf = (code: string, module: string): string => `
${code}
const loaded = process.moduleLoadList.some((name) => name.endsWith("${module}"));
console.log(JSON.stringify([...found, loaded]));`;
const folder = mkdtempSync(join(tmpdir(), "coracle-builtins-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(name: string, contents: string, plugins: Plugin[]): Promise<unknown> {
  const outfile = join(folder, `${name}.mjs`);
  await build({ stdin: { contents, resolveDir: folder }, outfile, bundle: true, format: "esm", platform: "node", plugins });
  return JSON.parse(execFileSync(process.execPath, [outfile], { encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] }));
}

test("a bundle takes node:http without undici, which an import of it loads", async () => {
  const code = loadedOf(
    'const { Agent, request } = await import("node:http");\nconst found = [typeof Agent, typeof request];',
    "undici/undici",
  );
  expect(await run("http", code, [])).toEqual(["function", "function", true]);
  expect(await run("http-plain", code, [plainBuiltins])).toEqual(["function", "function", false]);
});

test("a bundle takes node:process without its streams, which an import of it makes", async () => {
  const code = loadedOf(
    'import { env, versions } from "node:process";\nconst found = [typeof env, typeof versions.node];',
    "NativeModule net",
  );
  expect(await run("process", code, [])).toEqual(["object", "string", true]);
  expect(await run("process-plain", code, [plainBuiltins])).toEqual(["object", "string", false]);
});
