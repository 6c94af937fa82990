import { readFileSync } from "node:fs";
import { Client, credentials, Metadata, type MethodDefinition, type ServiceError, status } from "@grpc/grpc-js";
import { fromJSON, type PackageDefinition } from "@grpc/proto-loader";
import type { z } from "zod";
import { socketPathOf } from "./endpoint.ts";

type CriService = "RuntimeService" | "ImageService";

/** What a call of the container runtime interface ended with when it did not succeed; `code` is gRPC's. */
export class CriError extends Error {
  readonly code: CriErrorCode;
  constructor(code: CriErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "CriError";
    this.code = code;
  }
}
export type CriErrorCode = "NotFound" | "AlreadyExists" | "DeadlineExceeded" | "Unavailable" | "Unimplemented" | "Cancelled" | "Other";

const codes: ReadonlyMap<number, CriErrorCode> = new Map([
  [status.NOT_FOUND, "NotFound"],
  [status.ALREADY_EXISTS, "AlreadyExists"],
  [status.DEADLINE_EXCEEDED, "DeadlineExceeded"],
  [status.UNAVAILABLE, "Unavailable"],
  [status.UNIMPLEMENTED, "Unimplemented"],
  [status.CANCELLED, "Cancelled"],
]);

/** gRPC's own size limit is 4 MiB; a node full of containers lists more. The kubelet allows 16 MiB. */
const maxMessageBytes = 16 * 1024 * 1024;
const defaultTimeoutMs = 120_000;

/**
 * The container runtime interface v1 over a Unix socket. Field names are the protocol's own (`snake_case`), 64-bit numbers are decimal strings,
 * enums are names. A call made while the runtime restarts waits for it, at most until its own time-out.
 */
export interface CriClient {
  /** Answers are parsed by `schema`. Throws `CriError`. */
  call<T>(service: CriService, method: string, request: object, schema: z.ZodType<T>, options?: CallOptions): Promise<T>;
  /** A server stream; `onEnd` is called once, unless the returned function cancelled it. */
  stream<T>(
    method: string,
    schema: z.ZodType<T>,
    onMessage: (message: T) => void,
    onEnd: (error: CriError | undefined) => void,
  ): () => void;
  close(): void;
}

interface CallOptions {
  /** Default: two minutes, as the kubelet's `--runtime-request-timeout`. */
  readonly timeoutMs?: number;
  /** Fail at once when the runtime cannot be reached. */
  readonly failFast?: boolean;
}

/** `endpoint` is `unix:///path` or a bare path. Connects lazily and again after a break. */
export function createCriClient(endpoint: string): CriClient {
  const client = new Client(socketTarget(endpoint), credentials.createInsecure(), {
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 2_000,
    "grpc.default_authority": "localhost",
    "grpc.use_local_subchannel_pool": 1,
  });
  const methods = loadMethods();
  const definitionOf = (service: CriService, method: string): MethodDefinition<object, object> => {
    const definition = methods.get(`runtime.v1.${service}/${method}`);
    if (definition === undefined) throw new CriError("Unimplemented", `the descriptor has no method ${service}.${method}`);
    return definition;
  };
  return {
    call(service, method, request, schema, { timeoutMs = defaultTimeoutMs, failFast = false } = {}) {
      const definition = definitionOf(service, method);
      const metadata = new Metadata();
      metadata.setOptions({ waitForReady: !failFast });
      return new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          definition.path,
          definition.requestSerialize,
          definition.responseDeserialize,
          request,
          metadata,
          { deadline: Date.now() + timeoutMs },
          (error, response) => {
            if (error !== null) return reject(criErrorOf(error));
            const parsed = schema.safeParse(response);
            if (parsed.success) resolve(parsed.data);
            else reject(new CriError("Other", `the runtime's answer to ${method} has an unknown shape`, parsed.error));
          },
        );
      });
    },
    stream(method, schema, onMessage, onEnd) {
      const definition = definitionOf("RuntimeService", method);
      const call = client.makeServerStreamRequest(definition.path, definition.requestSerialize, definition.responseDeserialize, {});
      let ended = false;
      const end = (error: CriError | undefined): void => {
        if (ended) return;
        ended = true;
        onEnd(error);
      };
      call.on("data", (message: unknown) => {
        const parsed = schema.safeParse(message);
        if (parsed.success && !ended) onMessage(parsed.data);
      });
      call.on("error", (error: ServiceError) => end(criErrorOf(error)));
      call.on("end", () => end(undefined));
      return () => {
        ended = true;
        call.cancel();
      };
    },
    close: () => client.close(),
  };
}

const socketTarget = (endpoint: string): string => `unix:${socketPathOf(endpoint)}`;

const criErrorOf = (error: ServiceError): CriError => new CriError(codes.get(error.code) ?? "Other", error.details, error);

function loadMethods(): ReadonlyMap<string, MethodDefinition<object, object>> {
  const definition: PackageDefinition = fromJSON(JSON.parse(readFileSync(new URL("./cri-v1.json", import.meta.url), "utf8")), {
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
  });
  const methods = new Map<string, MethodDefinition<object, object>>();
  for (const service of ["RuntimeService", "ImageService"] satisfies CriService[]) {
    const entry = definition[`runtime.v1.${service}`];
    if (entry === undefined || "format" in entry) throw new Error(`the descriptor lacks ${service}`);
    for (const [method, of] of Object.entries(entry)) methods.set(`runtime.v1.${service}/${method}`, of);
  }
  return methods;
}
