/** What kept a batch from succeeding. */
export interface Failure {
  readonly cause: unknown;
}

/**
 * Does `count` things in batches of 1, 2, 4, …, each begun only when the one before succeeded whole, so that what fails for a common
 * reason fails once and not `count` times (`slowStartBatch`). `run` is told which of them, from 0. Answers how many succeeded and the
 * first failure.
 */
export async function slowStart(
  count: number,
  run: (index: number) => Promise<void>,
): Promise<{ succeeded: number; failure: Failure | undefined }> {
  let [succeeded, remaining] = [0, count];
  for (let size = Math.min(1, remaining); size > 0; size = Math.min(2 * size, remaining)) {
    const outcomes = await Promise.allSettled(Array.from({ length: size }, (_, i) => run(count - remaining + i)));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    succeeded += outcomes.filter((outcome) => outcome.status === "fulfilled").length;
    if (failed) return { succeeded, failure: { cause: failed.reason } };
    remaining -= size;
  }
  return { succeeded, failure: undefined };
}
