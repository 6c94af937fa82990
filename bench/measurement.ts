/** What one operation showed. */
export interface Measurement {
  readonly operation: string;
  readonly count: number;
  readonly errors: number;
  readonly firstError: string;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The value below which the share `q` (0 … 1) of the values lies; 0 of none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * q)] ?? 0;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Of several runs of the same operations: the median of each figure, the sum of the errors. Order and operations are those of the first run. */
export function mediansOf(runs: readonly (readonly Measurement[])[]): Measurement[] {
  return (runs[0] ?? []).map(({ operation, count }) => {
    const found = runs.flatMap((run) => run.filter((measured) => measured.operation === operation));
    const middle = (figure: "perSecond" | "p50Ms" | "p99Ms"): number => median(found.map((measured) => measured[figure]));
    return {
      operation,
      count,
      errors: found.reduce((sum, { errors }) => sum + errors, 0),
      firstError: found.find(({ firstError }) => firstError !== "")?.firstError ?? "",
      perSecond: middle("perSecond"),
      p50Ms: middle("p50Ms"),
      p99Ms: middle("p99Ms"),
    };
  });
}
