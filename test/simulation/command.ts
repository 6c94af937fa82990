import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("simulate.ts", import.meta.url));

/** Runs the simulator in a process of its own, as `npm run simulate` does: its module hooks reach no test. */
export function simulate(...options: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...options], { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const onText = (text: Buffer): void => {
      output += text.toString("utf8");
      if (/ histories, |::/.test(text.toString("utf8"))) process.stdout.write(text);
    };
    child.stdout.on("data", onText);
    child.stderr.on("data", onText);
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}
