/** DynamoDB's actions in partitions whose keys are like one of these (`*`: any text). */
export interface PartitionAccess {
  readonly actions: readonly string[];
  readonly partitions: readonly string[];
}

/** What the store asks of its table. It never scans: whoever does not know a partition's key cannot find it. */
const read = ["BatchGetItem", "GetItem", "Query"];
const write = ["DeleteItem", "PutItem", "UpdateItem"];
export const storeActions = [...read, ...write, "BatchWriteItem"];

const records = "*#records";
/** Revision and names of collections, of every cluster. */
const heads = "*#head";
/** The installation's keys, which whoever comes first makes. */
const keys: PartitionAccess = { actions: ["GetItem", "PutItem"], partitions: ["platform#installation#records"] };
const usage = ["platform#usage-open#records", "*#usage-hours#records", "*#usage-open#records", "*#usage-writers#records"];
const webhooks = ["platform#webhooks-due#records", "*#webhooks#records", "*#deliveries#*#records"];

/** The platform's records. They are looked up before it is known whose they are, and change together with what they name. */
const everyRecord: PartitionAccess = { actions: [...read, ...write], partitions: [records] };

/** The Kubernetes API of every cluster: it counts requests, and a bootstrap token does not say whose its cluster is. */
const clusterApi: readonly PartitionAccess[] = [
  keys,
  { actions: ["BatchGetItem", "GetItem", "PutItem", "UpdateItem"], partitions: usage },
  { actions: ["GetItem"], partitions: ["cluster#*#records"] },
];

/**
 * What each program reaches of the table in its own name. What is in a cluster, objects and logs, is in none of them: that is reached in its tenant's name
 * (`TenantAccess`). A transaction needs one entry that has all of its partitions.
 */
export const ownAccess = {
  clusterApi,
  /** A server process that holds watches and connections does what the function does, and looks up which node opens a tunnel. */
  container: [...clusterApi, { actions: ["GetItem"], partitions: ["node-credential#*#records"] }],
  /** A cluster is born together with its records, in one transaction. */
  platformApi: [everyRecord, { actions: ["PutItem", "UpdateItem"], partitions: [records, heads] }],
  agentApi: [everyRecord],
  onChange: [everyRecord],
  /** It compares every cluster's head with what its loops have done. */
  reconcile: [everyRecord, { actions: ["BatchGetItem", "GetItem"], partitions: [heads] }],
  deliver: [keys, { actions: [...read, ...write], partitions: webhooks }],
  /** Whoever wants to hear of a day's usage does so in the transaction that closes it. */
  meter: [keys, { actions: [...read, ...write], partitions: [...usage, "*#usage-days#records", ...webhooks] }],
} satisfies Record<string, readonly PartitionAccess[]>;
