/** `npm run test:aws`: deploys the stacks onto an emulator and drives them from outside. `--localstack`: onto LocalStack's core instead of ministack. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const { LOCALSTACK } = process.env;
const args = process.argv.slice(2);
const rest = args.filter((argument) => argument !== "--localstack");
if (args.length > rest.length && LOCALSTACK) {
  process.stderr.write(`LOCALSTACK=${LOCALSTACK} names a LocalStack of your own; --localstack would start another. Choose one.\n`);
  process.exit(2);
}
const vitest = join(import.meta.dirname, "..", "node_modules", "vitest", "vitest.mjs");
const { status } = spawnSync(process.execPath, [vitest, "run", "--project", "aws", "--reporter", "verbose", ...rest], {
  stdio: "inherit",
  env: { ...process.env, ...(args.length > rest.length && { CORACLE_AWS: "localstack" }) },
});
process.exit(status ?? 1);
