import { z } from "zod";
import { featureGates } from "../shared/host/feature-gates.ts";
import { networks, readVariables } from "../shared/host/variables.ts";
import { variables } from "./names/variables.ts";

const url = z
  .url()
  .transform((text) => text.replace(/\/+$/, ""))
  .optional();
const count = (least: number, most: number, usual: number) => z.coerce.number().min(least).max(most).default(usual);

/** A write is paid, and an instance that dies takes with it what it has not written: at most so much of its usage. */
const usageSeconds = 900;

const shape = z
  .object({
    table: z.string().min(3),
    secret: z.string().min(1),
    operatorSecret: z.string().min(1).optional(),
    clusterApiUrl: url,
    agentApiUrl: url,
    connectionsUrl: url,
    tenantRole: z.string().startsWith("arn:").optional(),
    webhookQueue: z.url().optional(),
    webhookAddresses: z.enum(["public", "any"]).default("public"),
    webhookNetworks: networks,
    featureGates: z.string().default("").transform(featureGates),
    requestBurst: count(1, 100_000, 400),
    requestsPerSecond: count(1, 100_000, 100),
    busyPollSeconds: count(0.2, 60, 2),
    idlePollSeconds: count(1, 300, 30),
    usageSeconds: count(1, 3600, usageSeconds),
    logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
  })
  .transform(({ requestBurst, requestsPerSecond, webhookAddresses, featureGates, ...given }) => ({
    ...given,
    requests: { burst: requestBurst, perSecond: requestsPerSecond },
    webhooksToPrivateAddresses: webhookAddresses === "any",
    features: featureGates,
  }));

/** The settings of every function; `names/variables.ts` says what they mean. */
export type Environment = Readonly<z.output<typeof shape>>;

/** The message of the error names the variable. Empty ones count as absent. @throws Error */
export const readEnvironment = (environment: Readonly<Record<string, string | undefined>>): Environment =>
  readVariables(shape, variables, environment);
