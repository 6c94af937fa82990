import { mkdir, readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { z } from "zod";
import { cached, run } from "./cache.ts";
import { pathWithNode } from "./emulator.ts";

/** Version 3 cannot read what the library synthesises. */
const cli = "aws-cdk@2.1148.1";
const account = "000000000000";
const region = "us-east-1";
const repository = join(import.meta.dirname, "..", "..");

const outputsShape = z.object({
  CoracleData: z.object({ TableName: z.string(), OperatorSecret: z.string() }),
  CoracleApi: z.object({ ClusterApiUrl: z.url(), PlatformApiUrl: z.url(), AgentApiUrl: z.url() }),
  CoracleLoops: z.object({ LostWakesQueue: z.string(), OnChangeFunction: z.string() }),
});

export type Outputs = z.infer<typeof outputsShape>;

/** For clients of the emulator, the CDK's among them. */
export const awsEnvironment = (endpoint: string) => ({
  AWS_ENDPOINT_URL: endpoint,
  AWS_ENDPOINT_URL_S3: endpoint,
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
  AWS_REGION: region,
  AWS_DEFAULT_REGION: region,
});

/** The `cdk` program, fetched on first use: nothing but a deployment needs it. */
export async function fetchCdk(): Promise<string> {
  const folder = await cached(cli.replace("@", "-"), async (target) => {
    await run("npm", ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", target, cli]);
  });
  return join(folder, "node_modules", ".bin", "cdk");
}

/** What is otherwise seen after minutes is seen within the test's time: a machine that is gone, and usage. */
const context = ["--context", "idlePollSeconds=5", "--context", "usageSeconds=5"];

/** Synthesises what goes to AWS into a folder of its own: a bootstrap in the application's would write it anew, with other assets. */
export async function synthesise(assembly: string): Promise<void> {
  await cdk(["synth", "--quiet", "--output", assembly, ...context], { cwd: repository, environment: {} });
}

/** Bootstraps the account and deploys every stack of a synthesised application. */
export async function deploy(endpoint: string, assembly: string, scratch: string): Promise<Outputs> {
  const empty = join(scratch, "empty");
  await mkdir(empty, { recursive: true });
  const outputs = join(scratch, "outputs.json");
  const options = { cwd: empty, environment: awsEnvironment(endpoint) };
  await cdk(["bootstrap", `aws://${account}/${region}`], options);
  const approval = ["--require-approval", "never", "--outputs-file", outputs];
  await cdk(["deploy", "--all", "--app", assembly, "--progress", "events", ...approval], options);
  return outputsShape.parse(JSON.parse(await readFile(outputs, "utf8")));
}

async function cdk(
  args: readonly string[],
  { cwd, environment }: { readonly cwd: string; readonly environment: Readonly<Record<string, string>> },
): Promise<void> {
  const env = {
    ...process.env,
    ...environment,
    // The application runs under the Node of this process.
    PATH: [join(repository, "node_modules", ".bin"), pathWithNode()].join(delimiter),
    CDK_DEFAULT_ACCOUNT: account,
    CDK_DEFAULT_REGION: region,
    CDK_DISABLE_CLI_TELEMETRY: "true",
  };
  try {
    await run(await fetchCdk(), [...args, "--no-notices", "--no-color"], { cwd, env, maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    const { stderr = "", message } = error as { stderr?: string; message: string };
    throw new Error(`cdk ${args[0]} failed:\n${stderr.slice(-4000) || message}`, { cause: error });
  }
}
