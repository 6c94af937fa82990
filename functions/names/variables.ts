/** Environment variables of the functions; `functions/environment.ts` says which are needed and what they may hold. */
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
