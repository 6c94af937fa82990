import type { Meter } from "../metering/meter.ts";
import type { ClusterRef } from "../store/store.ts";
import { type ApiResponse, isStream } from "./response.ts";

/** Counts an answer; the server's own failures and refusals for want of room are nobody's usage. A stream counts for as long as it is held. */
export function metered(meter: Pick<Meter, "request" | "change">, cluster: ClusterRef, method: string, answer: ApiResponse): ApiResponse {
  if (answer.status >= 500 || answer.status === 429) return answer;
  meter.request(cluster, method === "GET" || method === "HEAD" ? "read" : "write");
  const { body } = answer;
  if (!isStream(body)) return answer;
  const subject = { cluster: cluster.cluster, pool: "" };
  return {
    ...answer,
    body: {
      start(sink) {
        meter.change(cluster.tenant, subject, { watches: 1 });
        const stop = body.start(sink);
        let held = true;
        return () => {
          if (held) meter.change(cluster.tenant, subject, { watches: -1 });
          held = false;
          stop();
        };
      },
    },
  };
}
