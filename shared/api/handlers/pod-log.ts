import { StatusError } from "../../kubernetes/status-error.ts";
import type { Pod } from "../../kubernetes/types.ts";
import type { Call } from "../cluster-api.ts";
import { isTrue, parseInt64 } from "../request-info.ts";
import type { ApiResponse, Sink } from "../response.ts";
import { chooseContainer } from "./connect/container.ts";
import { findNewest } from "./read.ts";

/** `GET pods/{name}/log`: plain text from the node, as long as it goes. */
export async function readPodLog(call: Call): Promise<ApiResponse> {
  const { served, info, target } = call;
  const { query } = info;
  const pod = (await findNewest(call)).object as Pod;
  const container = chooseContainer(pod, query.get("container") ?? "", target.name);
  if ((pod.spec?.nodeName ?? "") === "") return textResponse(emptyStream());
  const number = (field: string, least: number): number | undefined => {
    const value = query.get(field);
    if (value === null || value === "") return undefined;
    const given = parseInt64(value);
    if (given < least)
      throw invalidOption(target.name, field, `Invalid value: ${value}: must be greater than ${least === 0 ? "or equal to 0" : "0"}`);
    return given;
  };
  const sinceTime = query.get("sinceTime") ?? undefined;
  const sinceSeconds = number("sinceSeconds", 1);
  if (sinceTime !== undefined && sinceSeconds !== undefined)
    throw invalidOption(target.name, "sinceSeconds", "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified");
  const stream = await served.podStreams.log({
    pod,
    container,
    follow: isTrue(query.get("follow")),
    previous: isTrue(query.get("previous")),
    timestamps: isTrue(query.get("timestamps")),
    sinceSeconds,
    sinceTime,
    tailLines: number("tailLines", 0),
    limitBytes: number("limitBytes", 1),
  });
  return textResponse(stream);
}

const invalidOption = (name: string, field: string, message: string): StatusError =>
  new StatusError("Invalid", `PodLogOptions ${JSON.stringify(name)} is invalid: ${field}: ${message}`, {
    name,
    kind: "PodLogOptions",
    causes: [{ reason: "FieldValueInvalid", message, field }],
  });

function textResponse(stream: ReadableStream<Uint8Array>): ApiResponse {
  return {
    status: 200,
    headers: { "content-type": "text/plain", "cache-control": "no-cache, private" },
    body: { start: (sink) => pipe(stream, sink) },
  };
}

const emptyStream = (): ReadableStream<Uint8Array> => new ReadableStream({ start: (controller) => controller.close() });

/** Writes a stream into a sink at the receiver's pace; the returned function stops it at its source. */
export function pipe(stream: ReadableStream<Uint8Array>, sink: Sink): () => void {
  const reader = stream.getReader();
  const run = async (): Promise<void> => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!sink.write(Buffer.from(value.buffer, value.byteOffset, value.byteLength))) await sink.drained();
    }
  };
  // A node that goes away in the middle ends the answer: what came is all there is.
  void run()
    .catch(() => {})
    .finally(() => sink.end());
  return () => void reader.cancel().catch(() => {});
}
