import type { World } from "../world.ts";

/** As the table's stream wakes functions: of each revision somebody hears, and somebody else where that one did not come to an end with it. */
export class WakeUps {
  readonly #world: World;
  readonly #patienceMs: number;
  #newest = 0;
  #told = 0;

  /** `patienceMs`: an invocation that lasts longer is over. */
  constructor(world: World, patienceMs: number) {
    this.#world = world;
    this.#patienceMs = patienceMs;
  }

  changed(revision: number): void {
    this.#newest = Math.max(this.#newest, revision);
  }

  /** Has `turn` called with the newest revision of which nobody was told, if there is one. */
  async tell(turn: (revision: number) => Promise<void>): Promise<void> {
    const [before, revision] = [this.#told, this.#newest];
    if (revision <= before) return;
    this.#told = revision;
    let isDone = false;
    this.#world.after(this.#patienceMs, () => {
      if (!isDone) this.#told = Math.min(this.#told, before);
    });
    await turn(revision);
    isDone = true;
  }
}
