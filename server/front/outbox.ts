/** Enough that a message's own cost is spread, and few enough that the other thread does not wait. */
const mostTogether = 16;

/** Gathers what is to be told another thread until the events that are there have been seen to. */
export class Outbox<T> {
  readonly #send: (batch: readonly T[]) => void;
  #batch: T[] = [];
  #scheduled = false;

  constructor(send: (batch: readonly T[]) => void) {
    this.#send = send;
  }

  post(message: T): void {
    this.#batch.push(message);
    if (this.#batch.length >= mostTogether) this.flush();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.flush();
      });
    }
  }

  /** What was posted last and is still here. */
  get last(): T | undefined {
    return this.#batch.at(-1);
  }

  flush(): void {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#send(batch);
  }
}
