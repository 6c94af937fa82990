import type { Duplex } from "node:stream";
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

/** Why there is no connection, in the words of Go's dialer (`dial tcp 10.0.0.1:80: connect: connection refused`). */
export class ConnectError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ConnectError";
  }
}

/** Port: what only the node that runs a pod can answer. */
export interface PodStreams {
  /** @throws StatusError when the node cannot be reached or has no such log */
  log(request: PodLogRequest): Promise<ReadableStream<Uint8Array>>;
  /**
   * A connection to the node's own server (kubelet's), to a port of a pod, or to one of the machine. Absent: this host carries none.
   * @throws ConnectError as the node cannot connect; StatusError when there is no way to the node
   */
  connect?(nodeName: string, target: ConnectTarget): Promise<Duplex>;
  /** Where there are connections, without a path, if this host carries none and knows of one that does. */
  readonly connectionsUrl?: string | undefined;
}

export type ConnectTarget =
  | { readonly kind: "node" }
  | { readonly kind: "pod"; readonly podUid: string; readonly port: number }
  | { readonly kind: "machine"; readonly port: number };
