/** What the stack that deploys the functions has to know of them: no code, and nothing imported. */

/** The entry points, by the name of their file in this folder; each exports `handler`. */
export const entryPoints = {
  /** Function URL, response streaming: the Kubernetes API of every cluster. */
  clusterApi: "cluster-api",
  /** Function URL, response streaming: `/v1`. */
  platformApi: "platform-api",
  /** Function URL, response streaming: `/agent/v1`. */
  agentApi: "agent-api",
  /** The table's stream, `NEW_IMAGE`, filtered by `streamFilters`; `ReportBatchItemFailures`. */
  onChange: "on-change",
  /** EventBridge, once a minute. */
  reconcile: "reconcile",
  /** SQS, `ReportBatchItemFailures`. */
  deliver: "deliver",
  /** EventBridge. */
  meter: "meter",
} as const;

/** Environment variables of the functions; `environment.ts` says which are needed and what they may hold. */
export const variables = {
  table: "CORACLE_TABLE",
  /** Id or ARN of the secret that all keys of the installation are sealed with: a string of 32 characters or more that never changes. */
  secret: "CORACLE_SECRET",
  /** Id or ARN of the secret that the operator's first API key is made of: 32 letters and digits. For platform-api alone. */
  operatorSecret: "CORACLE_OPERATOR_SECRET",
  /** Public URLs without a path. A function's own is not needed (it would be a circle): it takes that from the request. */
  clusterApiUrl: "CORACLE_CLUSTER_API_URL",
  agentApiUrl: "CORACLE_AGENT_API_URL",
  /** Public URL without a path of the servers that hold connections to nodes: they tell agents to open tunnels there, `cluster-api` sends clients there. */
  connectionsUrl: "CORACLE_CONNECTIONS_URL",
  /** ARN of the role that is taken on, confined to one tenant's partitions, to serve that tenant. Absent: the function's own role is used. */
  tenantRole: "CORACLE_TENANT_ROLE",
  /** URL of the queue of webhook deliveries. */
  webhookQueue: "CORACLE_WEBHOOK_QUEUE",
  /** `any`: webhooks of both kinds may be at addresses that are not public, as tests need it. */
  webhookAddresses: "CORACLE_WEBHOOK_ADDRESSES",
  /** Networks beyond the public ones where admission webhooks may be, as CIDRs. */
  webhookNetworks: "CORACLE_WEBHOOK_NETWORKS",
  /** Feature gates of Kubernetes that are off by default, as kube-apiserver takes them: `MutatingAdmissionPolicy=true`. */
  featureGates: "CORACLE_FEATURE_GATES",
  /** What a tenant may ask of the cluster API: requests at once, and a second. */
  requestBurst: "CORACLE_REQUEST_BURST",
  requestsPerSecond: "CORACLE_REQUESTS_PER_SECOND",
  /** When agents call again while there is work for them, and when there is none. */
  busyPollSeconds: "CORACLE_BUSY_POLL_SECONDS",
  idlePollSeconds: "CORACLE_IDLE_POLL_SECONDS",
  /** How often an instance writes what it has counted. */
  usageSeconds: "CORACLE_USAGE_SECONDS",
  logLevel: "CORACLE_LOG_LEVEL",
} as const;

/** Variables of `server/` over the table, beside those of the functions. */
export const containerVariables = {
  host: "CORACLE_HOST",
  port: "CORACLE_PORT",
  /** Which of `cluster`, `platform` and `agent` it serves, with commas. */
  surfaces: "CORACLE_SURFACES",
  /** `off`: the table's stream and the clock turn clusters, by functions. */
  loops: "CORACLE_LOOPS",
  /** Told to end, it says that it is not ready for so long, and goes on: until no load balancer sends it anything new. */
  drainSeconds: "CORACLE_DRAIN_SECONDS",
  /** A file that it writes the certificate of its authority to, for clients. */
  caFile: "CORACLE_CA_FILE",
} as const;

/** Attributes of the table's key, and the one by which DynamoDB deletes what is over. */
export const tableKeys = { partition: "pk", sort: "sk", ttl: "ttl" } as const;

/** What DynamoDB does with the table's key in the caller's name: what its guide asks for, but `CreateGrant`, which is for who makes the table. */
export const tableKeyActions = [
  "Decrypt",
  "DescribeKey",
  "Encrypt",
  "GenerateDataKey",
  "GenerateDataKeyWithoutPlaintext",
  "ReEncryptFrom",
  "ReEncryptTo",
] as const;

/**
 * Which records of the stream wake `on-change`: new log entries that say something (a void does not), and marks of platform work
 * (clusters being deleted, nodes being drained, webhooks to be sent). An event source takes a record that any of them matches.
 */
export const streamFilters = [
  { eventName: ["INSERT"], dynamodb: { NewImage: { type: { S: ["ADDED", "MODIFIED", "DELETED"] } } } },
  {
    eventName: ["INSERT", "MODIFY"],
    dynamodb: { Keys: { pk: { S: ["platform#deleting#records", "platform#draining#records", "platform#webhooks-due#records"] } } },
  },
] as const;
