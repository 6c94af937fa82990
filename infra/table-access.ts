import { noTenants } from "../functions/names/table.ts";

/** DynamoDB's actions in some partitions. */
export interface PartitionAccess {
  readonly actions: readonly string[];
  /** Whose keys are like one of these (`*`: any text). Absent: all. */
  readonly partitions?: readonly string[];
  /** But those. */
  readonly except?: readonly string[];
  /** As part of a transaction alone: its answer shows nothing of what lay there, unless a condition failed. */
  readonly inTransactions?: true;
}

/** What the store asks of its table. It never scans: whoever does not know a partition's key cannot find it. */
const read = ["BatchGetItem", "GetItem", "Query"];
const write = ["DeleteItem", "PutItem", "UpdateItem"];
export const storeActions = [...read, ...write, "BatchWriteItem"];

/** Whatever is a tenant's. */
const tenants: PartitionAccess = { actions: storeActions, except: noTenants.map((name) => `${name}#*`) };
const usage = ["*#usage-hours#records", "*#usage-open#records", "*#usage-writers#records"];

/**
 * What the roles have that are taken on with a policy for one tenant (`functions/session-policy.ts`): what may be done is where the two agree. What is no
 * tenant's is written by transactions, together with what is, and never read.
 */
export const sessionAccess = {
  /** It writes down that a day has usage, and nothing else outside the tenant's partitions. */
  clusterApi: [tenants, { actions: write, partitions: usage, inTransactions: true }],
  others: [tenants, { actions: write, inTransactions: true }],
} satisfies Record<string, readonly PartitionAccess[]>;

/** The installation's keys, which whoever comes first makes. */
const keys = { actions: ["GetItem", "PutItem"], partitions: ["platform#installation#records"] };
/** The Kubernetes API of every cluster: a bootstrap token does not say whose its cluster is. */
const clusterApi = [keys, { actions: ["GetItem"], partitions: ["cluster#*#records"] }];
/** When clusters are to be looked at again. */
const agenda = "platform#agenda#*#records";
/** Work that requests have left: what is done with goes by itself where there was nothing to do. */
const left = {
  actions: ["DeleteItem", "Query"],
  partitions: ["platform#deleting#records", "platform#draining#records", "platform#removing#records"],
};
const dueWebhooks = { actions: ["DeleteItem", "Query"], partitions: ["platform#webhooks-due#records"] };
const turning = [
  ...[keys, left, dueWebhooks],
  { actions: ["DeleteItem", "UpdateItem"], partitions: [agenda, "platform#listening#records"] },
  { actions: ["GetItem"], partitions: [agenda] },
];

/**
 * What each program reaches of the table in its own name: look-ups by which it learns whose a call is, and the operator's lists. What is a tenant's is in
 * none of them but the last entries of `reconcile` and `platformApi`: it is reached in that tenant's name (`TenantAccess`). A transaction needs one entry
 * that has all of its partitions.
 */
export const ownAccess = {
  clusterApi,
  /** A server process that holds watches and connections does what the function does, and looks up which node opens a tunnel. */
  container: [...clusterApi, { actions: ["GetItem"], partitions: ["node-credential#*#records"] }],
  platformApi: [
    keys,
    { actions: ["GetItem"], partitions: ["api-key#*#records"] },
    { actions: ["GetItem", "PutItem", "Query"], partitions: ["platform#tenants#records"] },
    { actions: ["UpdateItem"], partitions: [agenda] },
    // The operator's first key is taken in together with the mark that it was.
    { actions: ["PutItem"], partitions: ["operator#keys#records", "api-key#*#records", "platform#installation#records"] },
  ],
  agentApi: [keys, { actions: ["GetItem"], partitions: ["join-token#*#records", "node-credential#*#records"] }],
  onChange: turning,
  reconcile: [
    ...turning,
    { actions: ["Query"], partitions: [agenda, "platform#tenants#records"] },
    { actions: ["PutItem", "Query"], partitions: ["platform#listening#records"] },
    { actions: ["GetItem", "PutItem"], partitions: ["platform#sweep#records"] },
    { actions: ["Query"], partitions: ["platform#removed-nodes#records"] },
    { actions: ["DeleteItem"], partitions: ["platform#removed-nodes#records", "node-credential#*#records"] },
    // Which clusters there are, how far each one's log is and how far its loops: all of them are compared once an hour, and a session for each tenant would make
    // the clusters that are due wait. It reads, and changes nothing.
    { actions: ["Query"], partitions: ["*#clusters#records"] },
    { actions: ["BatchGetItem", "GetItem"], partitions: ["*#head", "*#loops#records"] },
  ],
  deliver: [keys],
  meter: [keys, { actions: ["GetItem", "Query"], partitions: ["platform#usage-open#records"] }],
} satisfies Record<string, readonly PartitionAccess[]>;
