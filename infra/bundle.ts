import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BuildOptions, build, type Metafile, type Plugin } from "esbuild";
import { entryPoints } from "../functions/names/entry-points.ts";
import { withLateModules } from "./late-modules.ts";
import { plainBuiltins } from "./plain-builtins.ts";
import { seldomUsed } from "./seldom-used.ts";

const root = join(import.meta.dirname, "..");
const facts = join("shared", "kubernetes", "facts");

/** What CommonJS packages inside a bundle ask for and ES modules lack. */
const banner = `import { createRequire as coracleCreateRequire } from "node:module";
const require = coracleCreateRequire(import.meta.url);`;

export type FunctionName = (typeof entryPoints)[keyof typeof entryPoints];

/**
 * `import { z } from "zod"` takes along all of zod, whose messages in fifty languages alone are a quarter of a megabyte to read on every cold start; of the
 * module's own namespace a bundle keeps what is used.
 */
const zodByUse = (text: string): string => text.replace('import { z } from "zod";', 'import * as z from "zod";');

/** What a source is read as. */
type Rewrite = (text: string, path: string) => string;

const ownSources = (rewrite: Rewrite): Plugin => ({
  name: "own-sources",
  setup({ onLoad }) {
    onLoad({ filter: /\/(functions|server|shared|agent|cli)\/.*\.ts$/, namespace: "file" }, ({ path }) => ({
      contents: rewrite(zodByUse(readFileSync(path, "utf8")), path),
      loader: "ts",
    }));
  },
});

/**
 * Bundles every entry point of `functions/` into a folder each under `target`: `index.mjs`, minified, with the facts beside it that it reads, and in files of
 * their own what is imported only when it is needed. Answers what esbuild says of each.
 */
export async function bundleFunctions(target: string): Promise<Map<FunctionName, Metafile>> {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  const made = new Map<FunctionName, Metafile>();
  for (const name of Object.values(entryPoints)) {
    const folder = join(target, name);
    const entryPoint = { in: join(root, "functions", `${name}.ts`), out: "index" };
    const metafile = await withLateModules((late, plugin) => {
      rmSync(folder, { recursive: true, force: true });
      return bundle({ entryPoints: [entryPoint, ...late] }, folder, undefined, [seldomUsed, plainBuiltins, plugin]);
    });
    copyFacts(join(folder, "facts"));
    made.set(name, metafile);
  }
  return made;
}

/** JavaScript of a bundle that is read before the first event, in bytes. */
export function readAtOnce(name: FunctionName, { outputs }: Metafile): number {
  const loaded = new Set<string>();
  const visit = (file: string): void => {
    if (loaded.has(file)) return;
    loaded.add(file);
    for (const { kind, path } of outputs[file]?.imports ?? []) if (kind === "import-statement" && outputs[path]) visit(path);
  };
  for (const [file, { entryPoint }] of Object.entries(outputs)) if (entryPoint?.endsWith(`functions/${name}.ts`)) visit(file);
  return [...loaded].reduce((bytes, file) => bytes + (outputs[file]?.bytes ?? 0), 0);
}

/** Bundles the server process over the table into `target`, with the Dockerfile of its image: the folder is all that an image is built of. */
export async function bundleContainer(target: string): Promise<void> {
  const start = 'import { run } from "./run.ts";\nawait run(process.env);\n';
  await bundle({ stdin: { contents: start, resolveDir: join(root, "server", "container"), loader: "ts" }, entryNames: "index" }, target);
  copyFacts(join(target, "facts"));
  cpSync(join(root, "infra", "container", "Dockerfile"), join(target, "Dockerfile"));
}

/** Bundles into a folder for Node 24, in files of their own what is imported only when it is needed. Answers what esbuild says of it. */
export async function bundle(
  options: BuildOptions,
  folder: string,
  rewrite: Rewrite = (text) => text,
  plugins: readonly Plugin[] = [],
): Promise<Metafile> {
  const { metafile } = await build({
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    minify: true,
    platform: "node",
    target: "node24",
    format: "esm",
    mainFields: ["module", "main"],
    banner: { js: banner },
    logLevel: "warning",
    ...options,
    outdir: folder,
    metafile: true,
    plugins: [ownSources(rewrite), ...plugins],
  });
  return metafile;
}

/** Without their line breaks and indentation: they are read and parsed on a cold start. */
function copyFacts(target: string): void {
  mkdirSync(target, { recursive: true });
  for (const file of readdirSync(join(root, facts))) {
    if (!file.endsWith(".json")) cpSync(join(root, facts, file), join(target, file));
    else writeFileSync(join(target, file), JSON.stringify(JSON.parse(readFileSync(join(root, facts, file), "utf8"))));
  }
}
