import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { CreateSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { z } from "zod";
import { entryPoints } from "../functions/names/entry-points.ts";
import { variables } from "../functions/names/variables.ts";
import { bundleFunctions, type FunctionName, readAtOnce } from "../infra/bundle.ts";
import { operatorApiKey } from "../shared/auth/api-key.ts";
import { createTable } from "../shared/store/dynamo/create-table.ts";
import { startMinistack } from "../test/infra/ministack.ts";
import { median } from "./measurement.ts";

/**
 * `npm run bench:cold`: what a cold start of each function costs, under the Node of this repository and without Lambda's own part (about 100 ms of the
 * sandbox). Each figure is the median of fresh processes against an emulator on the same machine.
 */
const { values } = parseArgs({ options: { runs: { type: "string", default: "5" } } });
const goalMs = 250;
const table = "coracle";
const operatorSecret = "abcdefghijklmnopqrstuvwxyz012345";

const figures = z.object({ loadMs: z.number(), firstMs: z.number(), cpuMs: z.number(), answer: z.unknown().optional() });
const urlAnswer = z.object({ statusCode: z.number(), body: z.string() });

const folder = mkdtempSync(join(tmpdir(), "coracle-cold-"));
const bundles = join(folder, "bundles");
const made = await bundleFunctions(bundles);
const emulator = await startMinistack(join(folder, "emulator.log"));
const aws = { AWS_ENDPOINT_URL: emulator.endpoint, AWS_REGION: "us-east-1", AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" };

/** A fresh process that loads the bundle and answers one event. */
async function coldStart(name: FunctionName, event: object): Promise<z.infer<typeof figures>> {
  const environment = {
    ...{ PATH: process.env.PATH, ...aws, [variables.table]: table, [variables.secret]: "root" },
    ...{ [variables.operatorSecret]: "operator", [variables.logLevel]: "error", [variables.clusterApiUrl]: "https://clusters.example" },
  };
  const args = [join(import.meta.dirname, "cold-instance.mjs"), join(bundles, name, "index.mjs"), JSON.stringify(event)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: environment, maxBuffer: 64 * 1024 * 1024 });
  return figures.parse(JSON.parse(stdout));
}

const urlEvent = (method: string, path: string, token: string, body?: object) => ({
  ...{ version: "2.0", rawPath: path, rawQueryString: "" },
  headers: { host: "fn.example", "content-type": "application/json", authorization: `Bearer ${token}` },
  requestContext: { http: { method, path } },
  ...(body && { body: JSON.stringify(body), isBase64Encoded: false }),
});

async function call(name: FunctionName, method: string, path: string, token: string, body?: object): Promise<Record<string, string>> {
  const { statusCode, body: text } = urlAnswer.parse((await coldStart(name, urlEvent(method, path, token, body))).answer);
  const said = Buffer.from(text, "base64").toString("utf8");
  if (statusCode >= 300) throw new Error(`${method} ${path}: ${statusCode} ${said}`);
  return JSON.parse(said);
}

try {
  for (const [key, value] of Object.entries(aws)) process.env[key] = value;
  await createTable(new DynamoDBClient({}), table);
  const secrets = new SecretsManagerClient({});
  await secrets.send(new CreateSecretCommand({ Name: "root", SecretString: "r".repeat(64) }));
  await secrets.send(new CreateSecretCommand({ Name: "operator", SecretString: operatorSecret }));
  const operator = operatorApiKey(operatorSecret).token;
  await call("platform-api", "POST", "/v1/tenants", operator, { id: "bench", name: "bench" });
  const { key = "" } = await call("platform-api", "POST", "/v1/tenants/bench/keys", operator, {
    name: "bench",
    scopes: ["clusters:write"],
  });
  const { id } = await call("platform-api", "POST", "/v1/clusters", key, { name: "bench" });
  const { token = "" } = await call("platform-api", "POST", `/v1/clusters/${id}/credentials`, key, {});
  const objects = `/clusters/${id}/api/v1/namespaces/default/configmaps`;
  await call("cluster-api", "POST", objects, token, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "one" } });
  const pk = { S: `bench#${id}#log#none#0` };
  const record = { eventName: "INSERT", dynamodb: { SequenceNumber: "1", Keys: { pk, sk: { S: "0000000000000009" } } } };

  const first: Record<FunctionName, readonly [what: string, event: object]> = {
    [entryPoints.clusterApi]: ["get of an object", urlEvent("GET", `${objects}/one`, token)],
    [entryPoints.platformApi]: ["get of a cluster", urlEvent("GET", `/v1/clusters/${id}`, key)],
    [entryPoints.agentApi]: ["a refused call", urlEvent("POST", "/agent/v1/sync", "none", {})],
    [entryPoints.onChange]: ["a changed cluster", { Records: [record] }],
    [entryPoints.reconcile]: ["nothing due", {}],
    [entryPoints.deliver]: ["an empty batch", { Records: [] }],
    [entryPoints.meter]: ["nothing to close", {}],
  };
  const rows: string[] = [];
  for (const [name, metafile] of made) {
    const [what, event] = first[name];
    const runs: z.infer<typeof figures>[] = [];
    for (let run = 0; run < Number(values.runs); run++) runs.push(await coldStart(name, event));
    const of = (field: "loadMs" | "firstMs" | "cpuMs"): number => Math.round(median(runs.map((each) => each[field])));
    const [load, request, cpu] = [of("loadMs"), of("firstMs"), of("cpuMs")];
    const all = Object.values(metafile.outputs).reduce((sum, { bytes }) => sum + bytes, 0);
    const kib = (bytes: number): number => Math.round(bytes / 1024);
    rows.push(
      `| ${name} | ${kib(readAtOnce(name, metafile))} | ${kib(all)} | ${load} | ${request} (${what}) | **${load + request}** | ${cpu} |`,
    );
  }
  const [load = 0] = loadavg();
  process.stdout.write(`Cold starts under Node ${process.version}, ${values.runs} each, against ${emulator.name}; load of the machine ${load.toFixed(1)}. Goal: ${goalMs} ms.

| function | read at once, KiB | in all, KiB | load, ms | first request, ms | together, ms | processor, ms |
|---|---|---|---|---|---|---|
${rows.join("\n")}
`);
} finally {
  await emulator.stop();
  rmSync(folder, { recursive: true, force: true });
}
