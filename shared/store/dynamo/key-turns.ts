/** Lets what touches the same keys run one after the other, in the order of the calls, and everything else at once. */
export class KeyTurns {
  readonly #last = new Map<string, Promise<unknown>>();
  readonly #running = new Set<Promise<unknown>>();

  async run<T>(keys: readonly string[], action: () => Promise<T>): Promise<T> {
    const before = keys.flatMap((key) => this.#last.get(key) ?? []);
    const turn = before.length > 0 ? Promise.allSettled(before).then(action) : action();
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    for (const key of keys) this.#last.set(key, settled);
    this.#running.add(settled);
    try {
      return await turn;
    } finally {
      this.#running.delete(settled);
      for (const key of keys) if (this.#last.get(key) === settled) this.#last.delete(key);
    }
  }

  /** Resolves when what touches any of the keys now is done. */
  async after(keys: readonly string[]): Promise<void> {
    const before = keys.flatMap((key) => this.#last.get(key) ?? []);
    if (before.length > 0) await Promise.all(before);
  }

  /** Resolves when everything that runs now is done. */
  async all(): Promise<void> {
    await Promise.all([...this.#running]);
  }

  get idle(): boolean {
    return this.#running.size === 0;
  }
}
