import { type Letters, type ToFront, to } from "./messages.ts";
import type { Outbox } from "./outbox.ts";

/** Bytes that go to many receivers, one after another, are told and copied once. */
export class Broadcast {
  readonly #outbox: Outbox<ToFront>;
  #last: { readonly chunk: Buffer; readonly letters: Letters; readonly message: ToFront; readonly exchanges: number[] } | undefined;

  constructor(outbox: Outbox<ToFront>) {
    this.#outbox = outbox;
  }

  write(exchange: number, chunk: Buffer): void {
    const last = this.#last?.chunk === chunk ? this.#last : undefined;
    // The outbox's last has not been sent yet.
    if (last && this.#outbox.last === last.message) {
      last.exchanges.push(exchange);
      return;
    }
    const letters = last?.letters ?? chunk.toString("latin1");
    const exchanges = [exchange];
    const message: ToFront = [to.write, exchanges, letters];
    this.#last = { chunk, letters, message, exchanges };
    this.#outbox.post(message);
  }
}
