import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";

/** A file that does not exist, linted as if it lay at `path`. */
function lint(path: string, source: string): string {
  const { stdout, stderr } = spawnSync(
    "node_modules/.bin/biome",
    ["lint", "--only=style/noRestrictedImports", `--stdin-file-path=${path}`],
    {
      input: source,
      encoding: "utf8",
    },
  );
  return stdout + stderr;
}

const breaches = [
  ["shared/kubernetes/breach.ts", 'import { x } from "../api/list.ts";\nexport const y = x;\n'],
  ["shared/scheduler/breach.ts", 'import { readFileSync } from "node:fs";\nexport const y = readFileSync;\n'],
  ["shared/store/breach.ts", 'import { x } from "./lmdb/lmdb-store.ts";\nexport const y = x;\n'],
  ["shared/controllers/breach.ts", 'import { open } from "lmdb";\nexport const y = open;\n'],
  ["shared/api/handlers/breach.ts", 'import { x } from "../../store/lmdb/lmdb-store.ts";\nexport const y = x;\n'],
  ["shared/platform/breach.ts", 'import { x } from "../../server/host.ts";\nexport const y = x;\n'],
  ["agent/breach.ts", 'import { x } from "../shared/store/store.ts";\nexport const y = x;\n'],
  ["cli/breach.ts", 'import { x } from "../shared/controllers/controller.ts";\nexport const y = x;\n'],
  ["server/breach.ts", 'import { x } from "../test/unit/x.ts";\nexport const y = x;\n'],
] as const;

it.each(breaches)("the linter finds a breach of the layers in %s", (path, source) => {
  expect(lint(path, source)).toContain("noRestrictedImports");
});

it("the linter lets an allowed import pass", () => {
  expect(lint("shared/api/allowed.ts", 'import { x } from "../store/store.ts";\nexport const y = x;\n')).not.toContain(
    "noRestrictedImports",
  );
});
