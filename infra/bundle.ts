import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { entryPoints } from "../functions/names.ts";

const root = join(import.meta.dirname, "..");
const facts = join("shared", "kubernetes", "facts");

/** What CommonJS packages inside a bundle ask for and ES modules lack. */
const banner = `import { createRequire as coracleCreateRequire } from "node:module";
const require = coracleCreateRequire(import.meta.url);`;

export type FunctionName = (typeof entryPoints)[keyof typeof entryPoints];

/** Bundles every entry point of `functions/` into a folder each under `target`: `index.mjs`, minified, with the facts beside it that it reads. */
export function bundleFunctions(target: string): void {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const name of Object.values(entryPoints)) {
    const folder = join(target, name);
    buildSync({
      entryPoints: [join(root, "functions", `${name}.ts`)],
      outfile: join(folder, "index.mjs"),
      bundle: true,
      minify: true,
      keepNames: true,
      platform: "node",
      target: "node24",
      format: "esm",
      mainFields: ["module", "main"],
      banner: { js: banner },
      logLevel: "warning",
    });
    copyFacts(join(folder, "facts"));
  }
}

/** Without their line breaks and indentation: they are read and parsed on a cold start. */
function copyFacts(target: string): void {
  mkdirSync(target, { recursive: true });
  for (const file of readdirSync(join(root, facts))) {
    if (!file.endsWith(".json")) cpSync(join(root, facts, file), join(target, file));
    else writeFileSync(join(target, file), JSON.stringify(JSON.parse(readFileSync(join(root, facts, file), "utf8"))));
  }
}
