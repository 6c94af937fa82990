import type { StreamBody } from "../shared/api/response.ts";
import type { Clock } from "../shared/clock.ts";

/** Where nothing goes out before the end, a stream ends when it has said something and fallen silent for so long. */
const silenceMs = 300;

/** What a body that streams has said until it ended, fell silent or time was up. */
export function collect(body: StreamBody, clock: Clock, untilMs: number): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let stop = (): void => {};
    let cancelSilence = (): void => {};
    const end = (): void => {
      cancelSilence();
      cancelEnd();
      stop();
      resolve(Buffer.concat(chunks));
    };
    const cancelEnd = clock.after(Math.max(0, untilMs - clock.now()), end);
    const write = (chunk: Buffer): true => {
      chunks.push(chunk);
      cancelSilence();
      cancelSilence = clock.after(silenceMs, end);
      return true;
    };
    stop = body.start({ write, drained: () => Promise.resolve(), end });
  });
}
