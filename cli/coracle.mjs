#!/usr/bin/env node
// Plain JavaScript: it must start under any Node from 20 on, and hands over to the pinned one when this Node cannot run TypeScript.
if (process.features.typescript) {
  const { importProgram, keepCompiled } = await import("../shared/compiled.mjs");
  keepCompiled();
  const { main } = await importProgram("cli/main.ts");
  process.exitCode = await main();
} else {
  const { spawn } = await import("node:child_process");
  const { existsSync } = await import("node:fs");
  const { fileURLToPath } = await import("node:url");
  const node = fileURLToPath(new URL("../node_modules/node/bin/node", import.meta.url));
  if (!existsSync(node)) {
    process.stderr.write("coracle: Node 24 is needed. Run `npm ci` in the checkout, which brings it along.\n");
    process.exit(1);
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? (signal === "SIGINT" ? 130 : 1);
  });
}
