import { readFileSync, statSync } from "node:fs";
import module from "node:module";
import { fileURLToPath } from "node:url";

const repository = new URL("..", import.meta.url);
const folder = fileURLToPath(repository);
const cache = new URL("node_modules/.cache/coracle/", repository);

/** What `npm ci` makes of the sources (`scripts/bundle-programs.ts`), and what it was made of: each input with its size and the time of its last change. */
export const bundle = new URL("bundle/", cache);
const manifest = new URL("manifest.json", bundle);

/** Changes with every installation of packages. */
export const packages = "node_modules/.package-lock.json";

/** What V8 compiled is kept with the packages that it was installed with. */
export function keepCompiled() {
  module.enableCompileCache?.(fileURLToPath(cache));
}

/** The size and time of a file of this repository, as text. `undefined`: it is not there. */
export function stampOf(path) {
  const found = statSync(folder + path, { throwIfNoEntry: false });
  return found && `${found.size} ${found.mtimeMs}`;
}

/**
 * Imports a program of this repository, `server/run.ts`: as it was bundled, which halves its start and takes two thirds of the memory, or from its source where
 * any of the sources, the packages or the repository's place have changed since.
 */
export function importProgram(source) {
  const bundled = bundledFrom(source);
  return import(new URL(bundled === undefined ? source : bundled, bundled === undefined ? repository : bundle).href);
}

/** The bundled program below `bundle`. `undefined`: there is none, or it is of other sources. */
export function bundledFrom(source) {
  let made;
  try {
    made = JSON.parse(readFileSync(manifest, "utf8"));
  } catch {
    return undefined;
  }
  if (made.repository !== repository.href) return undefined;
  for (const path in made.inputs) if (stampOf(path) !== made.inputs[path]) return undefined;
  return made.programs[source];
}
