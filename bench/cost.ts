import { containerSize, functionSizes } from "../infra/sizes.ts";
import { containerMonth, heldWatches } from "./cost/container.ts";
import { type Bill, dollarsOf, hoursInMonth, nothing, plus, prices, scaled } from "./cost/prices.ts";
import { followed, idle, node, reads, rollout, writes } from "./cost/scenarios.ts";

/**
 * `npm run bench:cost`: what the functions ask of DynamoDB and Lambda, counted request by request, at published prices. The functions are the real ones over a table in
 * memory that bills as DynamoDB does; docs/cost.md says what is assumed.
 */
interface Line {
  readonly what: string;
  readonly bill: Bill;
  /** How often, for the price beside it. */
  readonly times: number;
  readonly unit: string;
  /** In dollars besides the bill. */
  readonly besides?: number;
  /** In dollars. */
  readonly goal?: number;
}

const watchSeconds = 290;
const gb = 2 ** 30;
const number = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
const dollars = ({ bill, times, besides = 0 }: Line): number => dollarsOf(scaled(bill, times)) + besides;
const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
const missed: string[] = [];

function print(line: Line): void {
  const { what, bill, unit, goal } = line;
  const price = dollars(line);
  if (goal !== undefined && price > goal) missed.push(what);
  const verdict = goal === undefined ? "" : `$${goal}: ${price <= goal ? "met" : "missed"}`;
  const counts = [bill.readUnits, bill.writeUnits, bill.invocations, bill.gbSeconds].map(number);
  process.stdout.write(row([what, ...counts, `$${number(price)} a ${unit}`, verdict]));
}

process.stdout.write(row(["what", "read units", "write units", "invocations", "GB-seconds", "price", "goal"]));
process.stdout.write(row(["---", "---", "---", "---", "---", "---", "---"]));
const month = { times: hoursInMonth, unit: "month" } as const;
const quiet = await idle(21);
const storage = (quiet.clusterBytes / gb) * (prices.storageGb + prices.recoveryGb);
print({ what: "an installation that serves nobody, an hour of its schedule", bill: quiet.installation, ...month });
print({ what: "an idle cluster, an hour", bill: quiet.cluster, ...month, besides: storage, goal: 0.01 });
print({ what: "an idle node that polls, an hour", bill: await node(quiet.installation, 30), ...month, goal: 0.15 });
print({
  what: "a node that polls as if busy, an hour",
  bill: await node(quiet.installation, 2),
  times: hoursInMonth,
  unit: "month of nothing else",
});
const million = { times: 1000, unit: "million" } as const;
print({ what: "1,000 API reads", bill: await reads(1000), ...million, goal: 1 });
print({ what: "1,000 API writes, one at a time", bill: await writes(1000, 1), ...million, goal: 5 });
print({ what: "1,000 API writes, ten in a batch of the stream", bill: await writes(1000, 10), ...million, goal: 5 });
const tail = await followed(20);
const held = { ...nothing, invocations: 3600 / watchSeconds, gbSeconds: 3600 * (functionSizes.clusterApi.memoryMb / 1024) };
print({ what: "a watch held by a function, an hour", bill: plus(tail, held), ...month });
const watches = 1000;
print({
  what: "1,000 watches of one cluster held by the container, an hour",
  bill: await heldWatches(watches, 20),
  ...month,
  besides: containerMonth({ ...containerSize, watches }),
});
print({ what: "a rollout of 100 pods", bill: await rollout(100), times: 1, unit: "rollout" });
process.exitCode = missed.length;
