import type { PodLogRequest, PodStreams } from "../api/pod-streams.ts";
import { type Clock, sleep } from "../clock.ts";
import { pods } from "../kubernetes/known-resources.ts";
import type { Pod } from "../kubernetes/types.ts";
import type { ClusterView } from "../store/view.ts";

/**
 * Followed logs where an answer of a node cannot be held open: one look after another, each from where the last one ended, until the container has
 * ended. Lines carry their time on the way, so that none comes twice. `maxBytes`: what one answer of a node may be at the most.
 */
export function createPolledLogs(streams: PodStreams, viewOf: () => ClusterView | undefined, clock: Clock, maxBytes: number): PodStreams {
  return {
    ...streams,
    async log(request) {
      if (!request.follow) return streams.log({ ...request, limitBytes: Math.min(request.limitBytes ?? maxBytes, maxBytes) });
      const once: PodLogRequest = { ...request, limitBytes: maxBytes, follow: false, timestamps: true };
      const since = new Since();
      let left = request.limitBytes ?? Number.POSITIVE_INFINITY;
      let body = await streams.log(once);
      let stopped = false;
      return new ReadableStream<Uint8Array>({
        async pull(controller) {
          for (;;) {
            const wasOver = isOver(viewOf(), request);
            const fresh = since.take(await wholeLines(body, maxBytes), request.timestamps);
            const bytes = Buffer.from(fresh).subarray(0, left);
            left -= bytes.length;
            if (bytes.length > 0) controller.enqueue(bytes);
            // Whatever it wrote was there when it had ended.
            if (stopped || left <= 0 || (wasOver && fresh === "")) return controller.close();
            if (fresh === "") await sleep(clock, pauseMs);
            if (stopped) return;
            const { tailLines: _, sinceSeconds: __, ...rest } = once;
            const later = { ...rest, tailLines: undefined, sinceSeconds: undefined };
            body = await streams.log(since.time === "" ? once : { ...later, sinceTime: since.time });
            if (bytes.length > 0) return;
          }
        },
        cancel() {
          stopped = true;
        },
      });
    },
  };
}

const pauseMs = 1000;

/** Without the last line of an answer that found no more room: the next look shows it whole. */
async function wholeLines(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<string> {
  const bytes = Buffer.from(await new Response(body).arrayBuffer());
  return bytes.subarray(0, bytes.length < maxBytes ? bytes.length : bytes.lastIndexOf("\n") + 1).toString();
}

/** The container has ended, or is gone with its pod. */
function isOver(view: ClusterView | undefined, { pod, container }: PodLogRequest): boolean {
  const stored = view?.get(pods, pod.metadata.namespace ?? "", pod.metadata.name ?? "");
  const current = stored?.object as Pod | undefined;
  if (!current || current.metadata.uid !== pod.metadata.uid) return true;
  const { containerStatuses = [], initContainerStatuses = [], phase } = current.status ?? {};
  const state = [...containerStatuses, ...initContainerStatuses].find(({ name }) => name === container)?.state;
  return phase === "Succeeded" || phase === "Failed" || state?.terminated !== undefined;
}

/** RFC 3339 times of one zone in an order that strings have. */
const orderOf = (time: string): string =>
  time.replace(/(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/, (_, fraction = "") => `.${fraction.padEnd(9, "0")}`);

/** Where the last look ended: its last time, and the lines of that very time. */
class Since {
  time = "";
  #lines = new Map<string, number>();

  /** What is new of a look's lines, with their times or without. */
  take(text: string, withTimes: boolean): string {
    const seen = new Map(this.#lines);
    let fresh = "";
    for (const line of text.split("\n")) {
      if (line === "") continue;
      const space = line.indexOf(" ");
      const time = space < 0 ? line : line.slice(0, space);
      // The node may cut times to milliseconds when it looks for where to begin.
      if (this.time !== "" && orderOf(time) < orderOf(this.time)) continue;
      const known = time === this.time ? (seen.get(line) ?? 0) : 0;
      if (known > 0) {
        seen.set(line, known - 1);
        continue;
      }
      if (time !== this.time) {
        this.time = time;
        this.#lines = new Map();
      }
      this.#lines.set(line, (this.#lines.get(line) ?? 0) + 1);
      fresh += `${withTimes ? line : line.slice(space + 1)}\n`;
    }
    return fresh;
  }
}
