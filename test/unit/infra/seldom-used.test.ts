import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seldomUsed } from "../../../infra/seldom-used.ts";

const code = `
import protobuf from "protobufjs/minimal.js";
import { RE2JS } from "re2js";
import { isScalar, Lexer, parseDocument, stringify } from "yaml";
const compiled = RE2JS.compile("a+");
console.log(JSON.stringify({
  found: compiled.matcher("baa").find(),
  isOne: compiled instanceof RE2JS,
  tokens: [...new Lexer().lex("a: 1")].length > 0,
  parsed: parseDocument("a: [1]").toJS(),
  scalar: isScalar(parseDocument("1").contents),
  text: stringify({ a: 1 }),
  number: protobuf.Reader.create(new Uint8Array([150, 1])).uint32(),
}));`;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coracle-seldom-"));
  await build({
    stdin: { contents: code, resolveDir: import.meta.dirname },
    ...{
      outdir: folder,
      entryNames: "index",
      outExtension: { ".js": ".mjs" },
      bundle: true,
      splitting: true,
      format: "esm",
      platform: "node",
    },
    plugins: [seldomUsed],
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("packages in files of their own are the same to who uses them: called, constructed, looked into and compared", () => {
  const answer = JSON.parse(execFileSync(process.execPath, [join(folder, "index.mjs")], { encoding: "utf8" }));
  expect(answer).toEqual({
    ...{ found: true, isOne: true, tokens: true, parsed: { a: [1] }, scalar: true, text: "a: 1\n", number: 150 },
  });
});

test("a bundle does not contain them", () => {
  expect(statSync(join(folder, "index.mjs")).size).toBeLessThan(20_000);
  for (const file of ["re2js.cjs", "yaml.cjs", "protobufjs-minimal-js.cjs"]) expect(existsSync(join(folder, file)), file).toBe(true);
});
