import { createHash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fetchDynamoDbLocal } from "../contract/dynamodb-local.ts";
import { findProgram } from "../e2e/needs.ts";
import { freePort } from "../free-port.ts";
import { pythonEnvironment, run } from "./cache.ts";
import { type Emulator, lambdaEnvironment, startEmulator } from "./emulator.ts";

const version = "2026.3.0";
/** It imports what 3.12 lacks. */
const python = "3.13";
const plugin = "coracle_process_executor";
const folder = join(import.meta.dirname, "localstack");

/** LocalStack's core without a container: its Lambdas are processes, its DynamoDB is DynamoDB Local on the Java that is there. */
export async function startLocalStack(logFile: string): Promise<Emulator> {
  const requirements = join(folder, "requirements.txt");
  const wanted = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex")
    .slice(0, 8);
  const packages = ["--no-deps", "--no-compile", "--requirement", requirements];
  const bin = await pythonEnvironment(`localstack-core-${version}-python${python}-${wanted}`, await findPython(), packages);
  await installPlugin(bin);
  const { need, folder: dynamodb } = await fetchDynamoDbLocal();
  if (need.missing !== undefined) throw new Error(need.missing);
  const root = await mkdtemp(join(tmpdir(), "coracle-localstack-"));
  const port = await freePort();
  const emulator = await startEmulator({
    name: `LocalStack core ${version}`,
    port,
    command: join(bin, "python"),
    args: ["-m", "localstack.runtime.main"],
    environment: {
      ...lambdaEnvironment(),
      CORACLE_LAMBDA_RUNTIME: join(folder, "runtime.mjs"),
      FILESYSTEM_ROOT: root,
      // Plugins are remembered there, and for too long.
      XDG_CACHE_HOME: root,
      GATEWAY_LISTEN: `127.0.0.1:${port}`,
      LAMBDA_RUNTIME_EXECUTOR: "process",
      SQS_ENDPOINT_STRATEGY: "path",
      SKIP_SSL_CERT_DOWNLOAD: "1",
      DISABLE_EVENTS: "1",
      DNS_ADDRESS: "0",
      OVERRIDE_IN_DOCKER: "0",
      CORACLE_DYNAMODB_LOCAL: dynamodb,
      DYNAMODB_IN_MEMORY: "1",
      // Streams are DynamoDB Local's own: otherwise each item is read before it is written, and passed on through a Kinesis that is fetched on every run.
      PROVIDER_OVERRIDE_DYNAMODB: "v2",
      LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC: "0.2",
      EAGER_SERVICE_LOADING: "0",
    },
    logFile,
    retries: true,
    bindWithinMs: 4000,
    startSeconds: 300,
  });
  return {
    ...emulator,
    async stop() {
      await emulator.stop();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** On the PATH, or among pyenv's. @throws Error */
async function findPython(): Promise<string> {
  const found = findProgram(`python${python}`);
  // A shim of pyenv is there for versions that are not chosen, too.
  if (found !== undefined && (await works(found))) return found;
  const pyenv = join(process.env.PYENV_ROOT ?? join(homedir(), ".pyenv"), "versions");
  const installed = (await readdir(pyenv).catch(() => [])).find((name) => name.startsWith(`${python}.`));
  if (installed !== undefined) return join(pyenv, installed, "bin", "python");
  throw new Error(`LocalStack needs Python ${python}`);
}

const works = (program: string): Promise<boolean> =>
  run(program, ["--version"]).then(
    () => true,
    () => false,
  );

/** As an installed package: LocalStack looks for plugins among the entry points of its environment. */
async function installPlugin(bin: string): Promise<void> {
  const { stdout } = await run(join(bin, "python"), ["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]);
  const site = stdout.trim();
  const info = join(site, `${plugin}-1.0.dist-info`);
  await mkdir(info, { recursive: true });
  await copyFile(join(folder, `${plugin}.py`), join(site, `${plugin}.py`));
  await writeFile(join(info, "METADATA"), `Metadata-Version: 2.1\nName: ${plugin}\nVersion: 1.0\n`);
  await writeFile(
    join(info, "entry_points.txt"),
    `[localstack.lambda.runtime_executor]\nprocess = ${plugin}:ProcessRuntimeExecutorPlugin\n
[localstack.hooks.on_infra_start]\nuse_dynamodb_local_that_is_there = ${plugin}:use_dynamodb_local_that_is_there\n`,
  );
}
