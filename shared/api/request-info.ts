import type { Readable } from "node:stream";
import { StatusError } from "../kubernetes/status-error.ts";

/** What the host hands in: one HTTP request, whatever carried it. Header names are lower case. */
export interface ApiRequest {
  readonly method: string;
  /** Path and query below the cluster's root, e.g. `/api/v1/pods?limit=5`. */
  readonly url: string;
  header(name: string): string | undefined;
  /** Each header whose name begins with `prefix`, one pair for each time it was sent. */
  headersFrom(prefix: string): readonly (readonly [name: string, value: string])[];
  /** The certificate (DER) that the client made the connection with, if the host asks for any: the same buffer for every request of a connection. */
  clientCertificate?(): Buffer | undefined;
  /** The whole body, at most `limit` bytes. @throws StatusError `RequestEntityTooLarge` */
  body(limit: number): Promise<Buffer>;
  /** The path above `url`, e.g. `/clusters/c1`. Absent: none. */
  readonly root?: string | undefined;
  /** The body as it comes, instead of `body`. Absent: this host has it whole only. */
  readonly stream?: (() => Readable) | undefined;
  /** Who sent it, as far as the host knows. */
  readonly clientAddress?: string | undefined;
  /** Calls once when the answer has been sent or its receiver has gone. */
  readonly onClosed?: ((listener: () => void) => void) | undefined;
  /** The client asks to go on in another protocol, and the host can: an answer may be an `UpgradeBody`. */
  readonly upgradable?: boolean;
}

/** The paths of requests that may be upgraded: to pods and nodes, and watches. Elsewhere the wish is ignored, as HTTP allows. */
export function mayUpgrade(url: string): boolean {
  const [path = ""] = url.split("?");
  if (/\/(?:pods\/[^/]+\/(?:exec|attach|portforward)|(?:pods|services|nodes)\/[^/]+\/proxy(?:\/.*)?)$/.test(path)) return true;
  return /\/watch\//.test(path) || isTrue(parseQuery(url).get("watch"));
}

/** The parts of a Kubernetes API path, as `RequestInfoFactory.NewRequestInfo` of k8s.io/apiserver splits it. */
export interface RequestInfo {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly resource: ResourceRequest | undefined;
}

export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection";

export interface ResourceRequest {
  readonly verb: Verb;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  /** Empty for cluster-scoped requests and for requests over all namespaces. */
  readonly namespace: string;
  /** Empty for a collection. */
  readonly name: string;
  /** What follows the subresource (`proxy/…`), without the leading slash. */
  readonly rest: string;
  /** By the deprecated prefix `watch/`, which knows reading alone. */
  readonly watchPath: boolean;
}

const emptyQuery = new URLSearchParams();
const writes: Readonly<Record<string, Verb>> = { POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" };

export function parseQuery(url: string): URLSearchParams {
  const mark = url.indexOf("?");
  return mark < 0 ? emptyQuery : new URLSearchParams(url.slice(mark + 1));
}

export function parseRequest(method: string, url: string): RequestInfo {
  const mark = url.indexOf("?");
  // Read before it is taken apart, as Go's `URL.Path` is: an escaped slash parts like any other.
  const path = decode(mark < 0 ? url : url.slice(0, mark));
  const query = parseQuery(url);
  return { path, query, resource: parseResource(method, path, query) };
}

function parseResource(method: string, path: string, query: URLSearchParams): ResourceRequest | undefined {
  const parts = path.split("/");
  if (parts.at(-1) === "") parts.pop();
  // ["", "api", version, …] or ["", "apis", group, version, …]
  const core = parts[1] === "api";
  if (!core && parts[1] !== "apis") return undefined;
  const group = core ? "" : (parts[2] ?? "");
  const version = (core ? parts[2] : parts[3]) ?? "";
  let at = core ? 3 : 4;
  if (parts.length <= at) return undefined;
  const watchPath = parts[at] === "watch" && parts.length > at + 1;
  if (watchPath) at++;
  let namespace = "";
  if (parts[at] === "namespaces") {
    const third = parts[at + 2];
    if (third !== undefined && third !== "status" && third !== "finalize") {
      namespace = parts[at + 1] ?? "";
      at += 2;
    }
  }
  const resource = parts[at] ?? "";
  const name = parts[at + 1] ?? "";
  const subresource = parts[at + 2] ?? "";
  const rest = parts.length > at + 3 ? parts.slice(at + 3).join("/") : "";
  const verb = verbOf(method, name, watchPath || (name === "" && isTrue(query.get("watch"))), resource !== "" && subresource === "");
  return { verb, group, version, resource, subresource, namespace, name, rest, watchPath };
}

function verbOf(method: string, name: string, watch: boolean, plain: boolean): Verb {
  const write = writes[method];
  if (write === "delete" && name === "") return "deletecollection";
  if (write) return write;
  if (watch && plain) return "watch";
  return name === "" ? "list" : "get";
}

/** Go's `strconv.ParseBool` as the query converter uses it: present without a value counts as true. */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== "0" && value.toLowerCase() !== "false";
}

/** A number of a query, as Go's `strconv.ParseInt` reads it. @throws StatusError `BadRequest` */
export function parseInt64(text: string): number {
  const problem = !/^[-+]?\d+$/.test(text) ? "invalid syntax" : Math.abs(Number(text)) >= 2 ** 63 ? "value out of range" : undefined;
  if (problem !== undefined) throw new StatusError("BadRequest", `strconv.ParseInt: parsing ${JSON.stringify(text)}: ${problem}`);
  return Number(text);
}

function decode(path: string): string {
  if (!path.includes("%")) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
