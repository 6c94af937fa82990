// Compiles at installation what a start loads; the first start would do it otherwise, and takes twice as long. Whatever goes wrong costs no more than that.
import module from "node:module";
import { keepCompiled } from "../shared/compile-cache.mjs";

const loaded = ["../server/run.ts", "../agent/main.ts", "../cli/main.ts", "reflect-metadata", "@peculiar/x509"];
try {
  keepCompiled();
  for (const specifier of loaded) await import(specifier);
  module.flushCompileCache?.();
} catch (error) {
  process.stderr.write(`not compiled ahead: ${error}\n`);
}
process.exit(0);
