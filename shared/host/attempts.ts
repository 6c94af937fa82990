/** Parts of a work, of which one that fails keeps no other from being done. */
export interface Attempts {
  /** What the part comes to, or `otherwise`. */
  of<T>(part: Promise<T>, otherwise: T): Promise<T>;
  /** @throws what failed first */
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
      if (failures.length > 0) throw failures[0];
    },
  };
}
