import { connect, type Endpoint, inParallel } from "./endpoint.ts";
import { deletions, operations } from "./operations.ts";

/** What a load process is told: every `step`-th request of an operation from `first` on. */
export interface LoadOrder {
  readonly endpoint: Endpoint;
  readonly operation: string;
  readonly count: number;
  readonly first: number;
  readonly step: number;
  readonly concurrency: number;
}

export interface LoadReport {
  readonly latenciesMs: readonly number[];
  readonly errors: number;
  readonly firstError: string;
}

async function carryOut({ endpoint, operation: name, count, first, step, concurrency }: LoadOrder): Promise<LoadReport> {
  const operation = [...operations, ...deletions].find((known) => known.name === name);
  if (!operation) throw new Error(`unknown operation ${name}`);
  const connections = connect(endpoint, concurrency);
  const latenciesMs: number[] = [];
  let errors = 0;
  let firstError = "";
  await inParallel(Math.ceil((count - first) / step), concurrency, async (at) => {
    const request = operation.request(first + at * step);
    const sentAt = performance.now();
    const { status, bytes } = await connections.send(request);
    latenciesMs.push(performance.now() - sentAt);
    if (status === operation.status) return;
    errors++;
    firstError ||= `${status} ${bytes.toString().slice(0, 200)}`;
  });
  await connections.close();
  return { latenciesMs, errors, firstError };
}

process.on("message", (order: LoadOrder) => {
  carryOut(order).then(
    (report) => process.send?.(report),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.send?.("ready");
