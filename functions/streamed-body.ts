import type { StreamBody } from "../shared/api/response.ts";
import type { Clock } from "../shared/clock.ts";
import { drained } from "../shared/host/drained.ts";
import type { ResponseStream } from "./lambda.ts";

/** Resolves when the stream has ended, in order or not. */
const finished = (stream: ResponseStream): Promise<void> =>
  new Promise((resolve) => {
    for (const event of ["finish", "close", "error"] as const) stream.once(event, () => resolve());
  });

/** Sends a body that is there as a whole, and ends the stream. */
export async function send(chunks: readonly Buffer[], stream: ResponseStream): Promise<void> {
  const end = finished(stream);
  for (const chunk of chunks) if (chunk.length > 0 && !stream.write(chunk)) await drained(stream);
  stream.end();
  await end;
}

/** Until the body ends, its receiver goes, or time is up. */
export async function pipe(body: StreamBody, stream: ResponseStream, clock: Clock, untilMs: number): Promise<void> {
  const end = finished(stream);
  const stop = body.start({ write: (chunk) => stream.write(chunk), drained: () => drained(stream), end: () => stream.end() });
  const cancel = clock.after(Math.max(0, untilMs - clock.now()), () => stream.end());
  await end;
  cancel();
  stop();
}
