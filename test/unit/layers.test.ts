import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

const breaches: Readonly<Record<string, string>> = {
  "shared/kubernetes/breach.ts": "../api/list.ts",
  "shared/scheduler/breach.ts": "node:fs",
  "shared/store/breach.ts": "./lmdb/lmdb-store.ts",
  "shared/controllers/breach.ts": "lmdb",
  "shared/api/handlers/breach.ts": "../../store/lmdb/lmdb-store.ts",
  "shared/platform/breach.ts": "../../server/host.ts",
  "shared/metering/breach.ts": "../store/dynamo/dynamo-store.ts",
  "agent/breach.ts": "../shared/store/store.ts",
  "cli/breach.ts": "../shared/controllers/controller.ts",
  "server/breach.ts": "../test/unit/x.ts",
};
const allowed = "shared/api/allowed.ts";
/** Entry points and what puts them together stay small: what is long is a rule, whose place is in `shared/`. */
const lengths: Readonly<Record<string, number>> = { "functions/short.ts": 59, "functions/names/long.ts": 60, "shared/host/long.ts": 60 };

let folder: string;
let output: string;

/** The linter with the project's own rules over a tree in which each layer breaks one. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "coracle-layers-"));
  const { vcs: _vcs, $schema: _schema, ...rules } = JSON.parse(readFileSync("biome.json", "utf8")) as Record<string, unknown>;
  writeFileSync(join(folder, "biome.json"), JSON.stringify(rules));
  for (const [path, imported] of [...Object.entries(breaches), [allowed, "../store/store.ts"] as const]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), `import { x } from "${imported}";\nexport const y = x;\n`);
  }
  for (const [path, lines] of Object.entries(lengths)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), Array.from({ length: lines }, (_, line) => `export const x${line} = ${line};\n`).join(""));
  }
  const biome = resolve("node_modules/.bin/biome");
  const run = spawnSync(
    biome,
    ["lint", "--only=style/noRestrictedImports", "--only=style/noExcessiveLinesPerFile", "--max-diagnostics=none", "."],
    {
      cwd: folder,
      encoding: "utf8",
    },
  );
  output = run.stdout + run.stderr;
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each(Object.keys(breaches))("the linter finds a breach of the layers in %s", (path) => {
  expect(output).toMatch(new RegExp(`${path.replaceAll(".", "\\.")}:\\d+:\\d+ lint/style/noRestrictedImports`));
});

it("the linter lets an allowed import pass", () => {
  expect(output).not.toContain(allowed);
});

it("the linter finds a file of functions that has sixty lines, and no shorter one", () => {
  const found = Object.keys(lengths).filter((path) =>
    new RegExp(`${path.replaceAll(".", "\\.")}:\\d+:\\d+ lint/style/noExcessiveLinesPerFile`).test(output),
  );
  expect(found).toEqual(["functions/names/long.ts"]);
});
