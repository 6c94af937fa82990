import type { Duplex } from "node:stream";
import { goQuote } from "../kubernetes/schema/go-text.ts";
import { isStatus, type StatusDetails, StatusError, type StatusReason, UnexplainedError } from "../kubernetes/status-error.ts";
import { isStoreError } from "../store/store.ts";
import type { ResourceRequest } from "./request-info.ts";

/** What the host sends back. A list of buffers is written one after another: shared bytes are never copied together here. */
export interface ApiResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Each a `Set-Cookie` of its own: of what was proxied. */
  readonly cookies?: readonly string[];
  readonly body: Buffer | readonly Buffer[] | StreamBody | UpgradeBody;
}

/** Where a streaming answer writes to. `write` answers false when the receiver is slow: wait for `drained`. */
export interface Sink {
  write(chunk: Buffer): boolean;
  drained(): Promise<void>;
  end(): void;
  /** Ends it so that the receiver sees that something is missing. Absent: it cannot be told. */
  abort?(): void;
}

/** A body that goes on: a watch, a followed log. `start` is called once; the returned function when the receiver has gone. */
export interface StreamBody {
  readonly start: (sink: Sink) => () => void;
}

export const isStream = (body: ApiResponse["body"]): body is StreamBody => "start" in body;

/** After a 101 the connection is its taker's, which ends it. Answered to requests that are `upgradable` alone. */
export interface UpgradeBody {
  readonly take: (connection: Duplex) => void;
}

export const isUpgrade = (body: ApiResponse["body"]): body is UpgradeBody => "take" in body;

const jsonHeaders = { "content-type": "application/json", "cache-control": "no-cache, private" } as const;

export function json(status: number, body: Buffer | readonly Buffer[], headers?: Readonly<Record<string, string>>): ApiResponse {
  return { status, headers: headers ? { ...jsonHeaders, ...headers } : jsonHeaders, body };
}

export const text = (status: number, body: string): ApiResponse => ({
  status,
  headers: {
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-cache, private",
    "x-content-type-options": "nosniff",
  },
  body: Buffer.from(body),
});

const inconsistentText =
  "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/** A 410 whose list metadata carries the token for an inconsistent rest of the list. */
export class ExpiredListError extends StatusError {
  readonly continueToken: string;
  constructor(continueToken: string) {
    super("Expired", inconsistentText);
    this.continueToken = continueToken;
  }
}

/** A `Status` as it goes out. */
type StatusBody = Readonly<Record<string, unknown>> & { readonly kind: string; readonly apiVersion: string };

/** A refusal in somebody else's words: its body goes to the client as it is. */
export class ForeignStatusError extends StatusError {
  readonly body: StatusBody;
  constructor(body: StatusBody & { message: string; code: number }, reason: StatusReason, details: StatusDetails | undefined) {
    super(reason, body.message, details, body.code);
    this.body = body;
  }
}

export function statusBody(error: StatusError): StatusBody {
  if (error instanceof ForeignStatusError) return error.body;
  const { details } = error;
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: error instanceof ExpiredListError ? { continue: error.continueToken } : {},
    status: "Failure",
    message: error.message,
    ...(!(error instanceof UnexplainedError) && { reason: error.reason }),
    ...(details && { details }),
    code: error.code,
  };
}

/** A resource version that is no number, in the words of Go's parser. */
export const noVersion = (text: string): StatusError => new UnexplainedError(`strconv.ParseUint: parsing ${goQuote(text)}: invalid syntax`);

/** Store errors that reach the edge of a request, in the API's words. `undefined`: not an expected error. */
export function toStatusError(error: unknown, request?: ResourceRequest): StatusError | undefined {
  if (isStatus(error)) return error;
  if (!isStoreError(error)) return undefined;
  const details = request && {
    ...(request.name !== "" && { name: request.name }),
    ...(request.group !== "" && { group: request.group }),
    kind: request.resource,
  };
  switch (error.code) {
    case "RevisionConflict":
      return conflict(request?.group ?? "", request?.resource ?? "", request?.name ?? "");
    case "Compacted":
      return new StatusError("Expired", "The resourceVersion for the provided watch is too old.");
    case "TooLarge":
      return new StatusError("RequestEntityTooLarge", "Request entity too large: limit is 1572864 bytes");
    case "NoSuchCluster":
      return new StatusError("NotFound", "the server could not find the requested resource", {});
    case "Throttled":
      return new StatusError("TooManyRequests", "the server has received too many requests and has asked us to try again later", {
        ...details,
        retryAfterSeconds: 1,
      });
    case "DiskFull":
      return new StatusError("ServiceUnavailable", "the server's disk is full: nothing was written", { ...details, retryAfterSeconds: 1 });
    case "TooManyOperations":
    case "Unavailable":
      return new StatusError("ServiceUnavailable", "the server is currently unable to handle the request", {
        ...details,
        retryAfterSeconds: 1,
      });
    default:
      return error.code satisfies never;
  }
}

const qualified = (group: string, resource: string): string => (group === "" ? resource : `${resource}.${group}`);
const detailsOf = (group: string, kind: string, name: string) => ({ ...(name !== "" && { name }), ...(group !== "" && { group }), kind });

export const notFound = (group: string, resource: string, name: string): StatusError =>
  new StatusError("NotFound", `${qualified(group, resource)} ${JSON.stringify(name)} not found`, detailsOf(group, resource, name));

/** `deleting`: what exists is on its way out. */
export const alreadyExists = (group: string, resource: string, name: string, deleting = false): StatusError =>
  new StatusError(
    "AlreadyExists",
    `${deleting ? "object is being deleted: " : ""}${qualified(group, resource)} ${JSON.stringify(name)} already exists`,
    detailsOf(group, resource, name),
  );

export const modified = "the object has been modified; please apply your changes to the latest version and try again";

export const conflict = (group: string, resource: string, name: string, why: string = modified): StatusError =>
  new StatusError(
    "Conflict",
    `Operation cannot be fulfilled on ${qualified(group, resource)} ${JSON.stringify(name)}: ${why}`,
    detailsOf(group, resource, name),
  );

export const forbidden = (group: string, resource: string, name: string, why: string): StatusError =>
  new StatusError(
    "Forbidden",
    `${qualified(group, resource)} ${JSON.stringify(name)} is forbidden: ${why}`,
    detailsOf(group, resource, name),
  );

export const methodNotAllowed = (): StatusError =>
  new StatusError("MethodNotAllowed", "the server does not allow this method on the requested resource", {});
export const noSuchResource = (): StatusError => new StatusError("NotFound", "the server could not find the requested resource", {});
