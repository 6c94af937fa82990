import { createHandler as createMeterFunction } from "../../functions/meter.ts";
import { functionSizes } from "../../infra/sizes.ts";
import type { Clock } from "../../shared/clock.ts";
import { createFunctionBed, type Instance } from "../../test/unit/functions/function-bed.ts";
import { MeteredTable } from "./metered-table.ts";
import { type Bill, nothing, plus } from "./prices.ts";

/** Processor time of the SDK for a request, measured over DynamoDB Local (1.0 to 1.4 ms): the table here is in memory and has none. */
const sdkMs = 1.2;
/** A full processor, by Lambda's own figure. */
const fullProcessorMb = 1769;

/** The time, which passes between invocations at will: what a frozen function does not notice. */
function createJumpingClock(): Clock & { jump(milliseconds: number): void } {
  let aheadMs = 0;
  return {
    now: () => Date.now() + aheadMs,
    after(delayMs, run) {
      const timer = setTimeout(run, Math.min(delayMs, 2 ** 31 - 1));
      return () => clearTimeout(timer);
    },
    jump(milliseconds) {
      aheadMs += milliseconds;
    },
  };
}

type Functions = keyof Pick<typeof functionSizes, "clusterApi" | "platformApi" | "agentApi" | "onChange" | "reconcile" | "meter">;

/**
 * The functions as Lambda runs them, each invocation with its bill: what it asked of the table, and how long it took, which is its processor time
 * (stretched where its memory gives it less than a whole processor) and its waiting for DynamoDB.
 */
export function createBilledFunctions() {
  const clock = createJumpingClock();
  let table: MeteredTable | undefined;
  const bed = createFunctionBed({
    clock,
    confined: false,
    tableOf(memory) {
      table ??= new MeteredTable(memory, memory.items);
      return table;
    },
  });
  const instance = bed.instance();
  let bill = nothing;

  async function billed<T>(name: Functions, run: () => Promise<T>): Promise<T> {
    const before = readingOf(table);
    const processor = process.cpuUsage();
    try {
      return await run();
    } finally {
      const { user, system } = process.cpuUsage(processor);
      const after = readingOf(table);
      const { memoryMb } = functionSizes[name];
      const processorMs = (user + system) / 1000 + (after.requests - before.requests) * sdkMs;
      const milliseconds = Math.ceil(processorMs * Math.max(1, fullProcessorMb / memoryMb) + after.waitedMs - before.waitedMs);
      bill = plus(bill, {
        readUnits: after.readUnits - before.readUnits,
        writeUnits: after.writeUnits - before.writeUnits,
        invocations: 1,
        gbSeconds: (milliseconds / 1000) * (memoryMb / 1024),
      });
    }
  }

  const functions: Instance = {
    platform: (...call) => billed("platformApi", () => granted(instance.platform(...call))),
    cluster: (...call) => billed("clusterApi", () => granted(instance.cluster(...call))),
    agent: (...call) => billed("agentApi", () => granted(instance.agent(...call))),
    onChange: (records, milliseconds) => billed("onChange", () => finished(instance.onChange(records, milliseconds))),
    reconcile: (milliseconds) => billed("reconcile", () => instance.reconcile(milliseconds)),
  };
  const meter = createMeterFunction(bed.ports(clock));
  const context = { getRemainingTimeInMillis: () => 60_000 };

  return {
    bed,
    clock,
    functions,
    meter: () => billed("meter", () => meter({}, context as never)),
    /** Everything that the stream holds, in batches as large as it gives them. */
    async drain(): Promise<void> {
      while (bed.table.stream.length > 0) await functions.onChange(bed.table.stream.splice(0, 500));
    },
    /** What was billed since the last call. */
    take(): Bill {
      const taken = bill;
      bill = nothing;
      return taken;
    },
  };
}

/** What is refused costs something else than what is measured. @throws Error */
async function granted<T extends { readonly status: number; readonly text: string }>(answering: Promise<T>): Promise<T> {
  const answer = await answering;
  if (answer.status >= 300) throw new Error(`${answer.status} ${answer.text}`);
  return answer;
}

async function finished<T extends { readonly batchItemFailures: readonly unknown[] }>(handling: Promise<T>): Promise<T> {
  const handled = await handling;
  if (handled.batchItemFailures.length > 0) throw new Error(`${handled.batchItemFailures.length} records were not handled`);
  return handled;
}

const readingOf = ({ readUnits, writeUnits, waitedMs, requests } = { readUnits: 0, writeUnits: 0, waitedMs: 0, requests: 0 }) => ({
  ...{ readUnits, writeUnits, waitedMs, requests },
});

export type BilledFunctions = ReturnType<typeof createBilledFunctions>;
