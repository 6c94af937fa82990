import { rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Plugin } from "esbuild";
import { bundle } from "../infra/bundle.ts";
import { bundle as folderUrl, packages, stampOf } from "../shared/compiled.mjs";

const root = join(import.meta.dirname, "..");
const programs = ["server/run.ts", "server/container/run.ts", "cli/main.ts"];

/**
 * `import()` of a CommonJS package gives the names that Node finds in it; of a bundled one esbuild gives nothing but `default`. They are named here, as Node
 * says them, without that.
 */
const namesOfCommonJs: Plugin = {
  name: "names-of-commonjs",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[@a-z][^:]*$/ }, async ({ kind, path, importer }) => {
      if (kind !== "dynamic-import" || importer.includes("/node_modules/")) return undefined;
      const names = Object.keys(await import(path));
      return names.includes("module.exports") ? { path, namespace: "commonjs", pluginData: names } : undefined;
    });
    onLoad({ filter: /./, namespace: "commonjs" }, ({ path, pluginData }) => {
      const names = (pluginData as string[]).filter((name) => name !== "default" && name !== "module.exports");
      const contents = `import * as whole from ${JSON.stringify(path)};\nexport const { ${names.join(", ")} } = whole;`;
      return { contents, resolveDir: root };
    });
  },
};

/**
 * Bundles the programs of this repository for the machine that it lies on: a few files in place of some two thousand modules. Files that a source reads from beside
 * it are read from there. `shared/compiled.mjs` says when the result is used. Answers the modules that were made.
 */
export async function bundlePrograms(folder: string = fileURLToPath(folderUrl)): Promise<string[]> {
  rmSync(folder, { recursive: true, force: true });
  const { inputs, outputs } = await bundle(
    {
      entryPoints: programs.map((program) => join(root, program)),
      ...{ outbase: root, absWorkingDir: root, external: ["lmdb"], minify: false, sourcemap: true, sourcesContent: false },
    },
    folder,
    (text, path) => text.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href)),
    [namesOfCommonJs],
  );
  const sources = Object.keys(inputs).filter((path) => !path.startsWith("node_modules/") && !path.includes(":"));
  const made = {
    repository: pathToFileURL(`${root}/`).href,
    programs: Object.fromEntries(
      Object.entries(outputs).flatMap(([file, { entryPoint = "" }]) =>
        programs.includes(entryPoint) ? [[entryPoint, relative(folder, join(root, file))]] : [],
      ),
    ),
    inputs: Object.fromEntries([packages, ...sources].map((path) => [path, stampOf(path)])),
  };
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(made));
  return Object.keys(outputs).flatMap((file) => (file.endsWith(".mjs") ? [pathToFileURL(join(root, file)).href] : []));
}
