import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Patch, patched } from "./patches.ts";

const root = new URL("../../../", import.meta.url);
const simulatedLmdb = new URL("../lmdb/driver.ts", import.meta.url).href;

/**
 * Makes this process load the product with `patches` in its text, and the simulated driver in place of LMDB's. To be called before the first import of
 * the product. @throws when a patch does not fit its file any more
 */
export function changeProduct(patches: readonly Patch[]): void {
  const byUrl = new Map<string, string>();
  for (const patch of patches) {
    const url = pathToFileURL(fileURLToPath(new URL(patch.file, root))).href;
    byUrl.set(url, patched(byUrl.get(url) ?? readFileSync(new URL(url), "utf8"), patch));
  }
  registerHooks({
    resolve: (specifier, context, next) => (specifier === "lmdb" ? { url: simulatedLmdb, shortCircuit: true } : next(specifier, context)),
    load(url, context, next) {
      const source = byUrl.get(url);
      return source === undefined ? next(url, context) : { format: "module-typescript", source, shortCircuit: true };
    },
  });
}
