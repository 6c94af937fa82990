import { z } from "zod";
import { apiKeyScopes } from "../auth/api-key.ts";
import { type UsageField, usageFields } from "../metering/amounts.ts";
import { eventTypes } from "../webhooks/event-types.ts";
import { dnsLabel, identifier, labelMap, labelPatch, nodeCount, poolRuntime, taint, timestamp } from "./fields.ts";

export const clusterStates = ["provisioning", "ready", "deleting"] as const;

/** What the platform API takes and shows. These schemas are the only declaration: types, checks and the OpenAPI document come of them. */
const displayName = z.string().trim().min(1).max(100);

export const tenantResource = z.object({
  id: identifier,
  name: z.string(),
  maxClusters: z.int(),
  createdAt: timestamp,
});
export const tenantCreate = z.strictObject({
  name: displayName,
  id: dnsLabel.exactOptional(),
  maxClusters: z.int().min(0).max(1_000_000).exactOptional(),
});

const scopes = z.array(z.enum(apiKeyScopes)).min(1).max(apiKeyScopes.length);
export const apiKeyResource = z.object({
  id: identifier,
  name: z.string(),
  /** The key begins with `ck_live_` and this. */
  prefix: z.string(),
  scopes,
  createdAt: timestamp,
  expiresAt: timestamp.nullable(),
});
export const createdApiKey = apiKeyResource.extend({ key: z.string().meta({ description: "The key itself, shown this once." }) });
export const apiKeyCreate = z.strictObject({
  name: displayName,
  scopes,
  expiresAt: timestamp.exactOptional(),
});

export const clusterResource = z.object({
  id: identifier,
  name: dnsLabel,
  state: z.enum(clusterStates),
  kubernetesVersion: z.string(),
  /** The server of a kubeconfig. */
  endpoint: z.url(),
  /** Machines that the pool should have. */
  nodes: z.int(),
  pool: identifier,
  ownsPool: z.boolean().meta({ description: "The pool was made for this cluster, is resized by its `nodes`, and is deleted with it." }),
  schedulingPaused: z.boolean().meta({ description: "Pods wait: the scheduler places none until this is false again." }),
  labels: labelMap,
  createdAt: timestamp,
  updatedAt: timestamp,
});
export const clusterCreate = z
  .strictObject({
    name: dnsLabel,
    nodes: nodeCount.exactOptional().meta({ description: "Machines in the cluster's own pool; 0 when absent." }),
    runtime: poolRuntime.exactOptional(),
    pool: identifier.exactOptional().meta({ description: "The id of a pool to draw on instead of one of its own." }),
    labels: labelMap.exactOptional(),
  })
  .refine(({ pool, nodes, runtime }) => pool === undefined || (nodes === undefined && runtime === undefined), {
    path: ["pool"],
    message: "a cluster that draws on an existing pool has no `nodes` or `runtime` of its own",
  });
export const clusterUpdate = z.strictObject({
  name: dnsLabel.exactOptional(),
  nodes: nodeCount.exactOptional(),
  schedulingPaused: z.boolean().exactOptional(),
  labels: labelPatch.exactOptional(),
});

export const poolResource = z.object({
  id: identifier,
  name: dnsLabel,
  size: z.int(),
  runtime: poolRuntime,
  labels: labelMap,
  taints: z.array(taint),
  cluster: identifier.nullable().meta({ description: "The cluster that the pool was made for and goes with." }),
  createdAt: timestamp,
  updatedAt: timestamp,
});
const taints = z.array(taint).max(64);
export const poolCreate = z.strictObject({
  name: dnsLabel,
  size: nodeCount.exactOptional(),
  runtime: poolRuntime.exactOptional(),
  labels: labelMap.exactOptional(),
  taints: taints.exactOptional(),
});
export const poolUpdate = z.strictObject({
  name: dnsLabel.exactOptional(),
  size: nodeCount.exactOptional(),
  runtime: poolRuntime.exactOptional(),
  labels: labelPatch.exactOptional(),
  taints: taints.exactOptional(),
});

export const nodeResource = z.object({
  name: z.string(),
  pool: identifier,
  state: z.enum(["ready", "unreachable", "draining", "drained"]),
  runtime: z.enum(["containerd", "process", "hollow"]),
  machineId: z.string(),
  joinedAt: timestamp,
  lastSeenAt: timestamp.nullable(),
});

export const joinTokenResource = z.object({
  id: identifier,
  pool: identifier,
  prefix: z.string(),
  state: z.enum(["active", "expired", "used-up", "revoked"]),
  uses: z.int(),
  maxUses: z.int().nullable(),
  createdAt: timestamp,
  expiresAt: timestamp,
});
export const createdJoinToken = joinTokenResource.extend({ token: z.string().meta({ description: "The token itself, shown this once." }) });
export const joinTokenCreate = z.strictObject({
  ttlSeconds: z
    .int()
    .min(60)
    .max(365 * 86_400)
    .default(86_400),
  maxUses: z.int().min(1).max(1_000_000).exactOptional(),
});

export const credentialsCreate = z.strictObject({
  kind: z
    .enum(["token", "exec"])
    .default("token")
    .meta({ description: "A token in the kubeconfig itself, or a command of the CLI that fetches one when it is needed." }),
  ttlSeconds: z.int().min(600).max(86_400).default(3600),
  username: z
    .string()
    .min(1)
    .max(253)
    .regex(/^(?!system:)[\x21-\x7e]+$/, "printable characters, not beginning with system:")
    .exactOptional(),
  groups: z
    .array(z.string().min(1).max(253))
    .max(32)
    .default(["system:masters"])
    .meta({ description: "What RBAC grants is granted to groups; system:masters may do everything." }),
});
export const credentialsResource = z.object({
  kubeconfig: z.string().meta({ description: "YAML for kubectl." }),
  token: z.string().nullable(),
  expiresAt: timestamp.nullable(),
});

const usageAmounts = z.object(Object.fromEntries(usageFields.map((field) => [field, z.number()])) as Record<UsageField, z.ZodNumber>);
export const usageResource = z.object({
  start: timestamp,
  end: timestamp,
  cluster: identifier.nullable().meta({ description: "With `groupBy=cluster`; null for what is no single cluster's." }),
  pool: identifier.nullable().meta({ description: "With `groupBy=pool`; null for what is no pool's." }),
  ...usageAmounts.shape,
});

const webhookEvents = z
  .array(z.enum(["*", ...eventTypes]))
  .min(1)
  .max(eventTypes.length + 1)
  .meta({ description: "`*`: all there are and will be." });
const webhookUrl = z.string().min(1).max(2000).meta({ description: "Where messages are posted: https, on the public internet." });
const webhookDescription = z.string().max(200);
export const webhookResource = z.object({
  id: identifier,
  url: z.string(),
  events: z.array(z.string()),
  description: z.string(),
  enabled: z.boolean().meta({ description: "Becomes false when the receiver answers 410." }),
  createdAt: timestamp,
  updatedAt: timestamp,
});
export const createdWebhook = webhookResource.extend({
  secret: z.string().meta({ description: "By which the receiver verifies signatures (Standard Webhooks), shown this once." }),
});
export const webhookCreate = z.strictObject({
  url: webhookUrl,
  events: webhookEvents.default(["*"]),
  description: webhookDescription.default(""),
});
export const webhookUpdate = z.strictObject({
  url: webhookUrl.exactOptional(),
  events: webhookEvents.exactOptional(),
  description: webhookDescription.exactOptional(),
  enabled: z.boolean().exactOptional(),
});
export const deliveryResource = z.object({
  message: z.string().meta({ description: "The `webhook-id` of its attempts." }),
  type: z.enum(eventTypes),
  state: z.enum(["pending", "delivered", "dead"]),
  attempts: z.int(),
  createdAt: timestamp,
  lastAttemptAt: timestamp.nullable(),
  nextAttemptAt: timestamp.nullable(),
  lastOutcome: z.string().nullable().meta({ description: "`answered 200`, or why the receiver could not be asked." }),
});

export const whoamiResource = z.object({
  tenant: identifier,
  key: apiKeyResource.pick({ id: true, name: true, prefix: true, scopes: true, expiresAt: true }),
});
