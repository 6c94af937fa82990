import type { Duplex } from "node:stream";

/** How long what a side still says is taken (and thrown away) when the other side was lost. */
const lingerMs = 5_000;

/** Bytes in both directions, each with its own end. What came before a side was lost still reaches the other. Resolves when both have ended. */
export function joinStreams(one: Duplex, other: Duplex): Promise<void> {
  const flow = (from: Duplex, to: Duplex): Promise<void> =>
    new Promise((resolve) => {
      from.pipe(to);
      from.on("error", () => from.destroy());
      from.once("end", resolve);
      from.once("close", () => {
        resolve();
        if (from.readableEnded && from.writableFinished) return;
        to.end();
        to.resume();
        const timer = setTimeout(() => to.destroy(), lingerMs);
        to.once("close", () => clearTimeout(timer));
      });
    });
  return Promise.all([flow(one, other), flow(other, one)]).then(() => {});
}
