import type { Clock } from "../shared/clock.ts";
import type { Table } from "../shared/store/dynamo/table.ts";
import type { Log } from "../shared/telemetry/log.ts";
import type { Environment } from "./environment.ts";

/** The world outside, as the functions see it: AWS here, memory in tests. */
export interface FunctionPorts {
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** From a cryptographic source. */
  readonly randomBytes: (count: number) => Buffer;
  readonly uid: () => string;
  /** The table as the function itself may reach it. */
  readonly table: Table;
  /** The table as it may be reached for one tenant: no other tenant's partitions. */
  readonly tableOf: (tenant: string) => Table;
  readonly readSecret: (id: string) => Promise<string>;
  /** Messages into the queue of webhook deliveries, at most ten. */
  readonly enqueue: (queueUrl: string, messages: readonly string[]) => Promise<void>;
  /** Every address of a name. */
  readonly resolve: (hostname: string) => Promise<readonly { address: string; family: number }[]>;
}
