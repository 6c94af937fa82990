import { z } from "zod";
import { featureGates } from "../shared/host/feature-gates.ts";
import { networks, readVariables } from "../shared/host/variables.ts";
import type { Feature } from "../shared/kubernetes/resources.ts";
import { variables } from "./names.ts";

const url = z
  .url()
  .transform((text) => text.replace(/\/+$/, ""))
  .optional();
const count = (least: number, most: number, usual: number) => z.coerce.number().min(least).max(most).default(usual);

/** A write is paid, and an instance that dies takes with it what it has not written: at most so much of its usage. */
const usageSeconds = 900;

const shape = z.object({
  [variables.table]: z.string().min(3),
  [variables.secret]: z.string().min(1),
  [variables.operatorSecret]: z.string().min(1).optional(),
  [variables.clusterApiUrl]: url,
  [variables.agentApiUrl]: url,
  [variables.connectionsUrl]: url,
  [variables.tenantRole]: z.string().startsWith("arn:").optional(),
  [variables.webhookQueue]: z.url().optional(),
  [variables.webhookAddresses]: z.enum(["public", "any"]).default("public"),
  [variables.webhookNetworks]: networks,
  [variables.featureGates]: z.string().default("").transform(featureGates),
  [variables.requestBurst]: count(1, 100_000, 400),
  [variables.requestsPerSecond]: count(1, 100_000, 100),
  [variables.busyPollSeconds]: count(0.2, 60, 2),
  [variables.idlePollSeconds]: count(1, 300, 30),
  [variables.usageSeconds]: count(1, 3600, usageSeconds),
  [variables.logLevel]: z.enum(["debug", "info", "warn", "error"]).default("info"),
});

/** The settings of every function. */
export interface Environment {
  readonly table: string;
  readonly secret: string;
  readonly operatorSecret: string | undefined;
  readonly clusterApiUrl: string | undefined;
  readonly agentApiUrl: string | undefined;
  readonly connectionsUrl: string | undefined;
  /** Absent: data is reached by the function's own role. */
  readonly tenantRole: string | undefined;
  readonly webhookQueue: string | undefined;
  readonly webhooksToPrivateAddresses: boolean;
  readonly webhookNetworks: readonly string[];
  readonly features: readonly Feature[];
  readonly requests: { readonly burst: number; readonly perSecond: number };
  readonly busyPollSeconds: number;
  readonly idlePollSeconds: number;
  readonly usageSeconds: number;
  readonly logLevel: "debug" | "info" | "warn" | "error";
}

/** The message of the error names the variable. Empty ones count as absent. @throws Error */
export function readEnvironment(environment: Readonly<Record<string, string | undefined>>): Environment {
  const data = readVariables(shape, environment);
  return {
    table: data[variables.table],
    secret: data[variables.secret],
    operatorSecret: data[variables.operatorSecret],
    clusterApiUrl: data[variables.clusterApiUrl],
    agentApiUrl: data[variables.agentApiUrl],
    connectionsUrl: data[variables.connectionsUrl],
    tenantRole: data[variables.tenantRole],
    webhookQueue: data[variables.webhookQueue],
    webhooksToPrivateAddresses: data[variables.webhookAddresses] === "any",
    webhookNetworks: data[variables.webhookNetworks],
    features: data[variables.featureGates],
    requests: { burst: data[variables.requestBurst], perSecond: data[variables.requestsPerSecond] },
    busyPollSeconds: data[variables.busyPollSeconds],
    idlePollSeconds: data[variables.idlePollSeconds],
    usageSeconds: data[variables.usageSeconds],
    logLevel: data[variables.logLevel],
  };
}
