// Bundles and compiles at installation what a start loads; a start does without otherwise, and takes twice as long. Whatever goes wrong costs no more than that.
import module from "node:module";
import { keepCompiled } from "../shared/compiled.mjs";

try {
  const { bundlePrograms } = await import("./bundle-programs.ts");
  const modules = await bundlePrograms();
  keepCompiled();
  for (const file of modules) await import(file);
  module.flushCompileCache?.();
} catch (error) {
  process.stderr.write(`not compiled ahead: ${error}\n`);
}
process.exit(0);
