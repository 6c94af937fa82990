/** What is metered. Seconds are those for which something was there: two pods for a minute are 120 pod-seconds. */
export const usageFields = [
  /** Machines that spoke. */
  "nodeSeconds",
  /** Pods that a node was to run. */
  "podSeconds",
  /** What those pods asked for: thousandths of a CPU times seconds, bytes times seconds. */
  "cpuMilliSeconds",
  "memoryByteSeconds",
  /** Requests to the cluster API that were answered: GET and HEAD, and all others. */
  "apiReads",
  "apiWrites",
  /** Watches and followed logs that were held open. */
  "watchSeconds",
  /** Objects of clusters in use, as JSON. A cluster that nobody uses is not metered. */
  "storedByteSeconds",
] as const;
export type UsageField = (typeof usageFields)[number];
export type Amounts = Readonly<Partial<Record<UsageField, number>>>;

export function addAmounts(to: Partial<Record<UsageField, number>>, amounts: Amounts, times = 1): void {
  for (const field of usageFields) {
    const amount = amounts[field];
    if (amount !== undefined && amount !== 0) to[field] = (to[field] ?? 0) + amount * times;
  }
}

export const isNothing = (amounts: Amounts): boolean => usageFields.every((field) => (amounts[field] ?? 0) === 0);

/** The amounts of a record; what is no amount is left out. */
export function amountsOf(value: Readonly<Record<string, unknown>>): Amounts {
  const amounts: Partial<Record<UsageField, number>> = {};
  for (const field of usageFields) {
    const amount = value[field];
    if (typeof amount === "number") amounts[field] = amount;
  }
  return amounts;
}
