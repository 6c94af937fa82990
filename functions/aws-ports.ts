import { randomBytes, randomUUID } from "node:crypto";
import { DynamoDBClient, type DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { once } from "../shared/kubernetes/facts.ts";
import { AwsTable } from "../shared/store/dynamo/aws-table.ts";
import { createJsonLog } from "../shared/telemetry/log.ts";
import { functionClock } from "./clock.ts";
import { readEnvironment } from "./environment.ts";
import type { FunctionPorts } from "./ports.ts";
import { tenantSessions } from "./tenant-sessions.ts";

/** @throws Error where the variables are not as they should be */
export function awsPorts(variables: Readonly<Record<string, string | undefined>>, client: DynamoDBClientConfig = {}): FunctionPorts {
  const environment = readEnvironment(variables);
  const { table: name, tenantRole, logLevel } = environment;
  // The store repeats by itself what may be repeated.
  const own = new DynamoDBClient({ ...client, maxAttempts: 1 });
  const table = new AwsTable(own, name);
  // Credentials are a tenant's, connections the program's: each request is signed by itself.
  const connected = { ...client, requestHandler: own.config.requestHandler };
  const log = createJsonLog(
    (line) => process.stdout.write(line),
    () => Date.now(),
    logLevel,
  );
  return {
    environment,
    clock: functionClock,
    log,
    random: Math.random,
    randomBytes,
    uid: randomUUID,
    table,
    tableOf: tenantRole === undefined ? () => table : tenantSessions({ table: name, role: tenantRole, client: connected }),
    async readSecret(id) {
      const { SecretString } = await new SecretsManagerClient({}).send(new GetSecretValueCommand({ SecretId: id }));
      if (SecretString === undefined) throw new Error(`the secret ${id} is no text`);
      return SecretString;
    },
    async enqueue(QueueUrl, messages) {
      const { SendMessageBatchCommand, SQSClient } = await import("@aws-sdk/client-sqs");
      // Emulators give out URLs under names that only they know.
      const sqs = new SQSClient({ useQueueUrlAsEndpoint: false });
      const Entries = messages.map((MessageBody, index) => ({ Id: String(index), MessageBody }));
      const { Failed = [] } = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
      if (Failed.length > 0) throw new Error(`${Failed.length} messages were not taken: ${Failed[0]?.Message ?? ""}`);
    },
    resolve: async (hostname) => (await import("node:dns/promises")).lookup(hostname, { all: true }),
  };
}

/** Those of this instance. */
export const lambdaPorts = once(() => awsPorts(process.env));
