import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "../../shared/clock.ts";
import { Front } from "./front.ts";
import type { FrontOptions, ToFront, ToHost } from "./messages.ts";
import { Outbox } from "./outbox.ts";

/** What a thread of its own runs, until it is ended from outside: the connections of a server. */
export function runFront(): void {
  const port = parentPort;
  if (!port) throw new Error("the front is a thread of a server");
  const front = new Front(workerData as FrontOptions, systemClock, new Outbox<ToHost>((batch) => port.postMessage(batch)));
  port.on("message", (batch: readonly ToFront[]) => {
    for (const message of batch) front.take(message);
  });
}
