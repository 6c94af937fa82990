import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { withLateModules } from "../../../infra/late-modules.ts";

const cel = join(import.meta.dirname, "..", "..", "..", "shared", "kubernetes", "cel");
const code = `
import { compileExpression } from "./compile.ts";
import { Meter } from "./meter.ts";
import { intType } from "./type.ts";
import { Failure } from "./value.ts";
const run = (text) => {
  const compiled = compileExpression(text, new Map([["a", intType]]));
  return compiled.kind === "compiled" ? compiled.program.evaluate((name) => (name === "a" ? 0n : undefined), new Meter(1000)) : compiled.problem;
};
console.log(JSON.stringify({ sum: String(run("a + 2")), failed: run("1 / a") instanceof Failure, problem: run("b").slice(0, 5) }));`;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coracle-late-"));
  const entry = join(folder, "entry.ts");
  const source: Plugin = {
    name: "entry",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /entry\.ts$/ }, () => ({ path: entry, namespace: "entry" }));
      onLoad({ filter: /./, namespace: "entry" }, () => ({ contents: code, loader: "ts", resolveDir: cel }));
    },
  };
  await withLateModules((late, plugin) =>
    build({
      entryPoints: [{ in: entry, out: "index" }, ...late],
      ...{ outdir: folder, outExtension: { ".js": ".mjs" }, bundle: true, splitting: true, format: "esm", platform: "node" },
      plugins: [source, plugin],
    }),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a module that is read late is the same to who uses it: what it answers, and the classes that it shares", () => {
  const answer = JSON.parse(execFileSync(process.execPath, [join(folder, "index.mjs")], { encoding: "utf8" }));
  expect(answer).toEqual({ sum: "2", failed: true, problem: "ERROR" });
});

test("a bundle does not contain it", () => {
  expect(existsSync(join(folder, "expressions.mjs"))).toBe(true);
  expect(readFileSync(join(folder, "index.mjs"), "utf8")).not.toContain("parseExpression");
});
