import module from "node:module";
import { fileURLToPath } from "node:url";

/** Compiled modules, stripped of their types once, are kept with the packages that they were installed with. */
export function keepCompiled() {
  module.enableCompileCache?.(fileURLToPath(new URL("../node_modules/.cache/coracle", import.meta.url)));
}
