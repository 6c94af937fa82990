import type { Pod } from "../kubernetes/types.ts";

/** `PodLogOptions` of core/v1, checked. */
export interface PodLogRequest {
  readonly pod: Pod;
  readonly container: string;
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly sinceSeconds: number | undefined;
  readonly sinceTime: string | undefined;
  readonly tailLines: number | undefined;
  readonly limitBytes: number | undefined;
}

/** Port: what only the node that runs a pod can answer. */
export interface PodStreams {
  /** @throws StatusError when the node cannot be reached or has no such log */
  log(request: PodLogRequest): Promise<ReadableStream<Uint8Array>>;
}
