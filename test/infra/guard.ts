/**
 * `node guard.ts COMMAND ARGUMENT…`: runs a program for as long as this process' standard input is open. Whoever started it may be killed in whatever way:
 * the program ends with him, and all that it started.
 */
import { spawn } from "node:child_process";
import { descendantsOf, kill } from "./process-tree.ts";

const [command = "", ...args] = process.argv.slice(2);
const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"] });
child.on("error", () => process.exit(127));
child.on("exit", (code) => process.exit(code ?? 1));
process.stdin.resume().on("close", () => {
  for (const pid of descendantsOf(process.pid)) kill(pid);
  process.exit(0);
});
