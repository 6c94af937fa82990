/** Parts of a work, of which one that fails keeps no other from being done. */
export interface Attempts {
  /** What the part comes to, or `otherwise`. */
  of<T>(part: Promise<T>, otherwise: T): Promise<T>;
  /** @throws what failed; where it is more than one, an AggregateError whose message tells of each, because logs do not show its `errors` */
  end(): void;
}

export function createAttempts(): Attempts {
  const failures: unknown[] = [];
  return {
    of: (part, otherwise) =>
      part.catch((error: unknown) => {
        failures.push(error);
        return otherwise;
      }),
    end() {
      if (failures.length > 1) throw new AggregateError(failures, failures.map(textOf).join("\n"));
      if (failures.length > 0) throw failures[0];
    },
  };
}

/** Waits for the end of every part. @throws what failed, as `end` does */
export async function attemptAll(parts: readonly Promise<unknown>[]): Promise<void> {
  const attempts = createAttempts();
  await Promise.all(parts.map((part) => attempts.of(part, undefined)));
  attempts.end();
}

const textOf = (failure: unknown): string => (failure instanceof Error ? (failure.stack ?? failure.message) : String(failure));
