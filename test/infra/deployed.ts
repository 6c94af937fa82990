import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DynamoDBClient, QueryCommand } from "@aws-sdk/client-dynamodb";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { parse, stringify } from "yaml";
import { variables } from "../../functions/names/variables.ts";
import { type CommandArguments, type CommandOptions, type CommandResult, runCommand, wordsOf } from "../e2e/commands.ts";
import { createHttp, type HttpClient } from "../e2e/http.ts";
import { removeWithLeftovers } from "../e2e/leftovers.ts";
import { findKubectl } from "../e2e/needs.ts";
import { findFunction, setVariable } from "./aws-calls.ts";
import { type ServerBeside, startServerBeside } from "./beside-functions.ts";
import { awsEnvironment, deploy, type Outputs, synthesise } from "./deployment.ts";
import type { Emulator } from "./emulator.ts";
import { openFrontDoor } from "./front-door.ts";
import { startLocalStack } from "./localstack.ts";
import { startMinistack } from "./ministack.ts";

/** Coracle as it stands on an emulator, seen from outside. */
export interface Deployed {
  readonly emulator: Emulator;
  readonly outputs: Outputs;
  /** Goes with the test. */
  readonly scratch: string;
  /** How many items a partition of the table has. */
  countItems(partition: string): Promise<number>;
  /** The platform API, as the operator of the installation. */
  readonly operator: HttpClient;
  /** The certificates that machines and clients trust. */
  readonly caFile: string;
  /** A server process beside the functions that holds connections to nodes, until the end; machines that join from then on trust it. */
  holdConnections(): Promise<void>;
  /** Makes a tenant and a key of it. */
  admit(name: string): Promise<Tenant>;
  close(): Promise<void>;
}

export interface Tenant {
  readonly id: string;
  readonly platform: HttpClient;
  coracle(args: CommandArguments, options?: CommandOptions): Promise<CommandResult>;
  /** Machines of a cluster's pool, until the process is killed. */
  join(args: CommandArguments): ChildProcess;
  openCluster(name: string): Promise<Cluster>;
}

export interface Cluster {
  readonly api: HttpClient;
  readonly token: string;
  kubectl(args: CommandArguments, options?: CommandOptions): Promise<CommandResult>;
}

const repository = join(import.meta.dirname, "..", "..");
const cli = join(repository, "cli", "coracle.mjs");

/** A line of progress: a run takes minutes. */
export const say = (text: string): void => void process.stderr.write(`  aws: ${text}\n`);

/** Deploys onto the emulator that the environment names: `CORACLE_AWS=localstack`, `LOCALSTACK=http://…`, or else ministack. */
export async function startDeployed(environment: Readonly<Record<string, string | undefined>>): Promise<Deployed> {
  const scratch = await mkdtemp(join(tmpdir(), "coracle-aws-"));
  const assembly = join(scratch, "assembly");
  const logFile = join(scratch, "emulator.log");
  say(`starting; the emulator's log is ${logFile}`);
  const [emulator] = await Promise.all([startEmulatorOf(environment, logFile), synthesise(assembly)]);
  try {
    say(`${emulator.name} answers at ${emulator.endpoint}; deploying`);
    const outputs = await deploy(emulator.endpoint, assembly, scratch);
    say(`deployed: ${outputs.CoracleApi.ClusterApiUrl}`);
    return await visit(emulator, outputs, scratch);
  } catch (error) {
    await emulator.stop();
    throw error;
  }
}

async function startEmulatorOf(
  { LOCALSTACK, CORACLE_AWS }: Readonly<Record<string, string | undefined>>,
  logFile: string,
): Promise<Emulator> {
  if (LOCALSTACK) {
    const endpoint = LOCALSTACK.replace(/\/$/, "");
    return { name: "LocalStack of the user's own", endpoint, retries: true, bindWithinMs: 4000, stop: () => Promise.resolve() };
  }
  return CORACLE_AWS === "localstack" ? startLocalStack(logFile) : startMinistack(logFile);
}

async function visit(emulator: Emulator, outputs: Outputs, scratch: string): Promise<Deployed> {
  const door = await openFrontDoor(emulator.endpoint, outputs);
  // The emulator's own URLs have neither TLS nor names that resolve: nodes pass their pods' requests on to the door.
  await setVariable(emulator.endpoint, await findFunction(emulator.endpoint, "AgentApi"), variables.clusterApiUrl, door.url);
  const caFile = join(scratch, "ca.crt");
  await writeFile(caFile, door.caPem);
  const operator = createHttp(door.url, door.caPem, await operatorKey(emulator.endpoint, outputs));
  const clients = [operator];
  const clientOf = (base: string, token: string): HttpClient => {
    const made = createHttp(base, door.caPem, token);
    clients.push(made);
    return made;
  };
  const agents = new Set<ChildProcess>();
  let beside: ServerBeside | undefined;
  return {
    emulator,
    outputs,
    scratch,
    operator,
    caFile,
    async holdConnections() {
      beside = await startServerBeside(emulator.endpoint, scratch);
      await writeFile(caFile, door.caPem + beside.caPem);
    },
    async countItems(partition) {
      const client = new DynamoDBClient(clientOptions(emulator.endpoint));
      const { Count = 0 } = await client.send(
        new QueryCommand({
          TableName: outputs.CoracleData.TableName,
          KeyConditionExpression: "pk = :pk",
          ExpressionAttributeValues: { ":pk": { S: partition } },
          ConsistentRead: true,
        }),
      );
      client.destroy();
      return Count;
    },
    async admit(name) {
      const { id } = await made<{ id: string }>(operator, "/v1/tenants", { name });
      const scopes = ["clusters:write", "nodes:write", "keys:write", "usage:read"];
      const { key } = await made<{ key: string }>(operator, `/v1/tenants/${id}/keys`, { name: "test", scopes });
      const environment = {
        HOME: scratch,
        XDG_CONFIG_HOME: "",
        XDG_STATE_HOME: "",
        CORACLE_URL: door.url,
        CORACLE_API_KEY: key,
        CORACLE_CA: caFile,
      };
      const coracle: Tenant["coracle"] = (args, options = {}) =>
        runCommand(process.execPath, [cli, ...wordsOf(args)], { ...options, environment: { ...environment, ...options.environment } });
      return {
        id,
        platform: clientOf(door.url, key),
        coracle,
        join(args) {
          const agent = spawn(process.execPath, [cli, "node", "join", "--server", door.url, "--ca", caFile, ...wordsOf(args)], {
            env: { ...process.env, ...environment },
            stdio: ["ignore", "ignore", "inherit"],
          });
          agents.add(agent);
          return agent;
        },
        async openCluster(cluster) {
          const given = parse((await coracle(`cluster kubeconfig ${cluster}`)).stdout);
          const { pathname } = new URL(given.clusters[0].cluster.server);
          const base = `${door.url}${pathname}`;
          // What it says leads to AWS; the emulator is reached by the door.
          given.clusters[0].cluster = { server: base, "certificate-authority-data": Buffer.from(door.caPem).toString("base64") };
          const kubeconfig = join(scratch, `${cluster}.kubeconfig`);
          await writeFile(kubeconfig, stringify(given), { mode: 0o600 });
          const kubectl = findKubectl();
          if (kubectl === undefined) throw new Error("there is no kubectl on the PATH");
          const { token } = given.users[0].user;
          return {
            token,
            api: clientOf(base, token),
            kubectl: (args, options = {}) =>
              runCommand(kubectl, args, { ...options, environment: { HOME: scratch, KUBECONFIG: kubeconfig, ...options.environment } }),
          };
        },
      };
    },
    async close() {
      for (const agent of agents) agent.kill("SIGKILL");
      for (const client of clients) client.close();
      await beside?.stop();
      door.close();
      await emulator.stop();
      await removeWithLeftovers(scratch);
    },
  };
}

async function made<T>(client: HttpClient, path: string, body: unknown): Promise<T> {
  const answer = await client.send(path, { method: "POST", body });
  if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${answer.text}`);
  return answer.json<T>();
}

function clientOptions(endpoint: string) {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: region } = awsEnvironment(endpoint);
  return { endpoint, region, credentials: { accessKeyId, secretAccessKey } };
}

/** As an operator reads it: from the secret that the stack's output names. */
async function operatorKey(endpoint: string, { CoracleData }: Outputs): Promise<string> {
  const client = new SecretsManagerClient(clientOptions(endpoint));
  const { SecretString = "" } = await client.send(new GetSecretValueCommand({ SecretId: CoracleData.OperatorSecret }));
  client.destroy();
  const { stdout } = await runCommand(process.execPath, [join(repository, "scripts", "operator-key.ts")], { stdin: SecretString });
  return stdout.trim();
}
