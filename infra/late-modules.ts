import { basename, join } from "node:path";
import type { Plugin } from "esbuild";

const root = join(import.meta.dirname, "..");

/** Modules of ours that most cold starts call nothing of, with the functions that they export: how expressions in CEL are compiled and evaluated. */
const late = [{ file: join(root, "shared", "kubernetes", "cel", "compile.ts"), functions: ["compileExpression"] }] as const;
const nameOf = (file: string): string => basename(file, ".ts");

/** Further entry points of a bundle: what they share with it lies in files that both read, so that classes and what is remembered are the same. */
export const lateEntries = late.map(({ file }) => ({ in: `late:${file}`, out: nameOf(file) }));

/** Reads these modules when one of their functions is called for the first time, at once: Node 24 requires ES modules. The code that uses them does not know. */
export const lateModules: Plugin = {
  name: "late-modules",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^late:/ }, ({ path }) => ({ path: path.slice("late:".length) }));
    onResolve({ filter: /\/compile\.ts$/ }, ({ path, resolveDir }) => {
      const file = join(resolveDir, path);
      return late.some((each) => each.file === file) ? { path: file, namespace: "late-modules", sideEffects: false } : undefined;
    });
    onLoad({ filter: /./, namespace: "late-modules" }, ({ path }) => {
      const functions = late.find(({ file }) => file === path)?.functions ?? [];
      const calls = functions.map((name) => `export const ${name} = (...given) => load().${name}(...given);`);
      const contents = `import { createRequire } from "node:module";
let loaded;
const load = () => (loaded ??= createRequire(import.meta.url)("./${nameOf(path)}.mjs"));
${calls.join("\n")}`;
      return { contents };
    });
  },
};
