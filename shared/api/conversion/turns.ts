/** A watch this many changes behind its webhook is cut off; it resumes from where it was. */
const mostWaiting = 10_000;

/** Work in the order in which it came, one after another. After a failure nothing more is done. */
export class Turns {
  readonly #fail: (error: unknown) => void;
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  #failed = false;

  constructor(fail: (error: unknown) => void) {
    this.#fail = fail;
  }

  /** `weight`: how many changes it is about. */
  take(weight: number, work: () => Promise<void>): void {
    this.#waiting += weight;
    const refused = this.#waiting > mostWaiting && this.#waiting > weight;
    this.#last = this.#last.then(async () => {
      this.#waiting -= weight;
      if (this.#failed) return;
      try {
        if (refused) throw new Error("too far behind");
        await work();
      } catch (error) {
        this.#failed = true;
        this.#fail(error);
      }
    });
  }
}
