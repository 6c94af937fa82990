import { forbidden } from "../auth/forbidden.ts";
import { actingUser, impersonationPrefix } from "../auth/impersonation.ts";
import type { RbacAuthorizer } from "../auth/rbac.ts";
import type { RequestAttributes } from "../auth/rbac-rules.ts";
import type { UserInfo } from "../auth/user.ts";
import type { ResourceDefinition } from "../kubernetes/resources.ts";
import { StatusError } from "../kubernetes/status-error.ts";
import type { ApiCluster } from "./api-cluster.ts";
import type { ClusterTokens } from "./cluster-tokens.ts";
import type { Encoder } from "./encoder.ts";
import { readCollection, readObject, watchCollection } from "./handlers/read.ts";
import { handleSubresource } from "./handlers/subresources.ts";
import { handleVirtual, isVirtual } from "./handlers/virtual.ts";
import { createOne, deleteMany, deleteOne, patchOne, updateOne } from "./handlers/write.ts";
import { metricsAnswer } from "./metrics/metrics-text.ts";
import type { RequestMetrics } from "./metrics/request-metrics.ts";
import type { Encoding } from "./negotiation.ts";
import { Documents } from "./non-resource.ts";
import type { PodStreams } from "./pod-streams.ts";
import type { Registry } from "./registry.ts";
import { failure } from "./rendering.ts";
import { createEncoder } from "./representation.ts";
import { type ApiRequest, parseRequest, type RequestInfo, type ResourceRequest } from "./request-info.ts";
import { type ApiResponse, methodNotAllowed, noSuchResource, text, toStatusError } from "./response.ts";
import { warningHeader } from "./warning-header.ts";

/** One cluster behind its API. */
export interface ServedCluster {
  readonly cluster: ApiCluster;
  readonly registry: Registry;
  readonly authorizer: RbacAuthorizer;
  readonly tokens: ClusterTokens;
  /** Logs and, later, exec: what only a node can answer. */
  readonly podStreams: PodStreams;
  readonly documents: Documents;
  readonly metrics: RequestMetrics;
  /** Encoders of plain objects by resource, shared by every request so that watch events are made once. */
  readonly encoders: WeakMap<ResourceDefinition, Map<Encoding, Encoder>>;
}

/** A request that was authenticated, taken apart and found to concern a served resource. */
export interface Call {
  readonly served: ServedCluster;
  readonly request: ApiRequest;
  readonly info: RequestInfo;
  readonly target: ResourceRequest;
  readonly definition: ResourceDefinition;
  readonly user: UserInfo;
  /** Collected for the `Warning` headers of the answer. */
  readonly warnings: string[];
}

/** Serves one request of the Kubernetes API. Never throws: every failure is an answer. `onUnknown` gets the errors nobody foresaw. */
export async function serveCluster(
  served: ServedCluster,
  request: ApiRequest,
  user: UserInfo,
  onUnknown: (error: unknown) => void,
): Promise<ApiResponse> {
  const warnings: string[] = [];
  const info = parseRequest(request.method, request.url);
  try {
    return withWarnings(await route(served, request, info, user, warnings), warnings);
  } catch (error) {
    const known = toStatusError(error, info.resource);
    if (known) return withWarnings(failure(known, request), warnings);
    onUnknown(error);
    return failure(internalError(), request);
  }
}

async function route(
  served: ServedCluster,
  request: ApiRequest,
  info: RequestInfo,
  requester: UserInfo,
  warnings: string[],
): Promise<ApiResponse> {
  const { resource: target, path } = info;
  const user = actingUser(requester, request.headersFrom(impersonationPrefix), served.authorizer);
  authorize(served, request, info, user);
  if (!target) {
    if (isUnknownVersion(served, path)) throw noSuchResource();
    if (request.method !== "GET" && Documents.isReadOnly(path)) throw methodNotAllowed();
    if (path === "/metrics") return metricsAnswer(served.cluster, served.metrics);
    return (
      served.documents.answer(path, request, served.cluster.resources, served.cluster.clock.now()) ?? text(404, "404 page not found\n")
    );
  }
  const { resources } = served.cluster;
  const definition = resources.find(target.group, target.version, target.resource);
  if (!definition) {
    if (!resources.hasGroup(target.group)) return text(404, "404 page not found\n");
    throw noSuchResource();
  }
  if (target.namespace !== "" && !definition.namespaced) throw noSuchResource();
  if (definition.custom?.deprecation !== undefined) warnings.push(definition.custom.deprecation);
  if (definition.group === "" && definition.resource === "endpoints")
    warnings.push("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice");
  if (definition.custom && definition.namespaced && target.namespace === "" && target.verb !== "list" && target.verb !== "watch")
    return text(404, "404 page not found\n");
  const anyMethod = target.subresource === "proxy" || (definition.custom !== undefined && request.method === "HEAD");
  if (!anyMethod && !servedMethods.has(request.method)) throw unservedMethod(definition);
  const call: Call = { served, request, info, target, definition, user, warnings };
  return served.metrics.observe(
    call,
    () => dispatch(call),
    (error) => toStatusError(error, target)?.code ?? 500,
  );
}

const servedMethods = new Set(["GET", "POST", "PUT", "PATCH", "DELETE"]);

/** Built-in resources have no route for it; custom ones a handler, which finds no verb for it. */
function unservedMethod({ custom, group, resource }: ResourceDefinition): StatusError {
  if (!custom) return methodNotAllowed();
  return new StatusError("MethodNotAllowed", ` is not supported on resources of kind ${JSON.stringify(`${resource}.${group}`)}`, {
    group,
    kind: resource,
  });
}

export const internalError = (): StatusError =>
  new StatusError("InternalError", "Internal error occurred: the server could not complete the request");

/** A version that a known group does not have: its resources are looked for, and not found. */
function isUnknownVersion({ cluster: { resources } }: ServedCluster, path: string): boolean {
  const [, root, first = "", second = "", more] = path.split("/");
  const [group, version] = root === "api" ? ["", first] : [first, second];
  if ((root !== "api" && root !== "apis") || version === "" || (root === "api" ? second !== "" : more !== undefined)) return false;
  return resources.hasGroup(group) && !resources.hasGroupVersion(group, version);
}

function withWarnings(response: ApiResponse, warnings: readonly string[]): ApiResponse {
  const warning = warnings.length === 0 ? undefined : warningHeader(warnings);
  return warning === undefined ? response : { ...response, headers: { ...response.headers, warning } };
}

function dispatch(call: Call): Promise<ApiResponse> {
  const { target, definition } = call;
  if (target.rest !== "" && target.subresource !== "proxy") throw noSuchResource();
  if (isVirtual(definition)) return handleVirtual(call);
  if (target.subresource !== "") return handleSubresource(call);
  if (definition.namespaced && target.namespace === "" && target.name !== "") throw noSuchResource();
  const everywhere = definition.namespaced && target.namespace === "";
  switch (target.verb) {
    case "get":
      return readObject(call);
    case "list":
      return readCollection(call);
    case "watch":
      return watchCollection(call);
    case "create":
      if (target.name !== "" || everywhere || target.watchPath) throw methodNotAllowed();
      return createOne(call);
    case "update":
      if (target.name === "") throw methodNotAllowed();
      return updateOne(call);
    case "patch":
      if (target.name === "") throw methodNotAllowed();
      return patchOne(call);
    case "delete":
      return deleteOne(call);
    case "deletecollection":
      if (everywhere || !definition.verbs.has("deletecollection")) throw methodNotAllowed();
      return deleteMany(call);
    default:
      return target.verb satisfies never;
  }
}

export function encoderOf({ encoders, cluster }: ServedCluster, definition: ResourceDefinition, encoding: Encoding): Encoder {
  let own = encoders.get(definition);
  if (!own) {
    own = new Map();
    encoders.set(definition, own);
  }
  let encoder = own.get(encoding);
  if (!encoder) {
    encoder = createEncoder(definition, { kind: "object" }, encoding, () => cluster.clock.now());
    own.set(encoding, encoder);
  }
  return encoder;
}

function authorize(served: ServedCluster, request: ApiRequest, info: RequestInfo, user: UserInfo): void {
  const attributes = attributesOf(request.method, info);
  const { allowed, reason } = served.authorizer.authorize(user, attributes);
  if (!allowed) throw forbidden(user, attributes, reason);
}

export function attributesOf(method: string, { resource, path, query }: RequestInfo): RequestAttributes {
  if (!resource) return { kind: "nonResource", verb: method.toLowerCase(), path };
  const { verb, group, resource: plural, subresource, namespace, name } = resource;
  const attributes = { kind: "resource" as const, verb, group, resource: plural, subresource, namespace, name };
  const selector = verb === "list" || verb === "watch" || verb === "deletecollection" ? query.get("fieldSelector") : null;
  if (selector === null) return attributes;
  // A collection of one is that one, to whoever decides by names (RequestInfoFactory).
  const single = name === "" ? /(?:^|,)metadata\.name==?([^,=!]+)(?:,|$)/.exec(selector)?.[1] : undefined;
  return { ...attributes, fieldSelector: selector, ...(single !== undefined && { name: single }) };
}
