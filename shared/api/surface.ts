import { bootstrapSecretKey, parseBootstrapToken, verifyBootstrapToken } from "../auth/bootstrap-token.ts";
import { type ClientAuthority, verifyClientCertificate } from "../auth/client-certificate.ts";
import { forbidden } from "../auth/forbidden.ts";
import type { TokenIssuer, VerifiedToken } from "../auth/token.ts";
import { anonymous } from "../auth/user.ts";
import type { Clock } from "../clock.ts";
import type { ObjectKey } from "../kubernetes/object.ts";
import { StatusError } from "../kubernetes/status-error.ts";
import type { Secret } from "../kubernetes/types.ts";
import type { Meter } from "../metering/meter.ts";
import type { ClusterRef } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";
import { attributesOf, internalError, type ServedCluster, serveCluster } from "./cluster-api.ts";
import { isIssuerPath, issuerDocument } from "./issuer-documents.ts";
import { metered } from "./metered.ts";
import { Documents } from "./non-resource.ts";
import { failure } from "./rendering.ts";
import { type ApiRequest, parseRequest } from "./request-info.ts";
import { type ApiResponse, isStream, noSuchResource } from "./response.ts";
import { protocolHeader, tokenOfProtocols } from "./websocket-token.ts";
import { overWebSocket } from "./websocket-watch.ts";

/** Port: brings a cluster into this process. `undefined` when there is none. */
export interface ClusterDirectory {
  open(ref: ClusterRef): Promise<ServedCluster | undefined>;
  /**
   * A Secret of the cluster with this id, without opening it: who asks is not known yet. `undefined`: no such Secret, no such cluster.
   * Absent: this host takes no bootstrap tokens.
   */
  findSecret?(clusterId: string, key: ObjectKey): Promise<{ readonly cluster: ClusterRef; readonly secret: Secret } | undefined>;
  /**
   * Who signs the client certificates of the cluster with this id, without opening it. `undefined`: no such cluster. Absent: this host takes
   * no client certificates.
   */
  findAuthority?(clusterId: string): Promise<ClientAuthority | undefined>;
  /** As much of the token's cluster as one request needs, where that is cheaper than to open it. `undefined`: open it. */
  openPart?(token: VerifiedToken, request: ApiRequest): Promise<ServedCluster | undefined>;
}

export interface SurfaceOptions {
  readonly directory: ClusterDirectory;
  readonly tokens: TokenIssuer;
  readonly clock: Clock;
  readonly log: Log;
  /** Ids of failures nobody foresaw, for the log. */
  readonly requestId: () => string;
  /** Counts requests and held watches of a cluster's users. */
  readonly meter?: Pick<Meter, "request" | "change">;
  /** Takes one request of the tenant's allowance; answers the seconds to wait when there is none left, else 0. */
  readonly throttle?: (tenant: string) => number;
}

const prefix = "/clusters/";
/** Whether a path belongs to the cluster API: below `/clusters/{id}`, or at the root for clients that know only a host and a token. */
export const isClusterPath = (path: string): boolean =>
  path.startsWith(prefix) ||
  /^\/(api|apis|openapi|version|healthz|livez|readyz|metrics|openid|\.well-known\/openid-configuration)(\/|\?|$)/.test(path);

/**
 * The cluster API of all clusters. A token names its cluster: with a path to another one the answer is the same 404 as for a cluster that
 * does not exist; without a path the token's cluster answers. Nobody without a token learns which clusters there are.
 */
export function createClusterSurface({
  directory,
  tokens,
  clock,
  log,
  requestId,
  meter,
  throttle,
}: SurfaceOptions): (request: ApiRequest) => Promise<ApiResponse> {
  /** It names no cluster, so it is looked for in that of the path alone; a wrong one is answered as one for a cluster that is not there. */
  const identifyBootstrap = async (clusterId: string | undefined, token: string): Promise<VerifiedToken | undefined> => {
    const bootstrap = clusterId === undefined ? undefined : parseBootstrapToken(token);
    if (clusterId === undefined || !bootstrap) return undefined;
    const found = await directory.findSecret?.(clusterId, bootstrapSecretKey(bootstrap.id));
    return found && verifyBootstrapToken(bootstrap, found.secret, found.cluster, clock.now());
  };
  /** By certificate and cluster: who keeps a connection open is not looked at again. */
  const certified = new WeakMap<Buffer, { readonly clusterId: string; readonly verified: VerifiedToken }>();
  const identifyCertificate = async (clusterId: string, der: Buffer): Promise<VerifiedToken | "bad"> => {
    const known = certified.get(der);
    if (known?.clusterId === clusterId && known.verified.expiresAtMs > clock.now()) return known.verified;
    const authority = await directory.findAuthority?.(clusterId);
    const verified = authority && verifyClientCertificate(der, authority, clock.now());
    if (verified) certified.set(der, { clusterId, verified });
    return verified ?? "bad";
  };
  const verify = async (clusterId: string | undefined, token: string): Promise<VerifiedToken | "bad"> =>
    (await tokens.verifyToken(token)) ?? (await identifyBootstrap(clusterId, token)) ?? "bad";
  /** At once for a token that was seen before. */
  const identify = (
    request: ApiRequest,
    clusterId: string | undefined,
  ): VerifiedToken | "none" | "bad" | Promise<VerifiedToken | "bad"> => {
    const header = request.header("authorization");
    if (header === undefined || header === "") {
      const found = request.upgradable === true ? tokenOfProtocols(request.header(protocolHeader)) : undefined;
      if (found === "bad") return "bad";
      if (found !== undefined) return tokens.cachedToken(found.token) ?? verify(clusterId, found.token);
      const der = clusterId === undefined || !directory.findAuthority ? undefined : request.clientCertificate?.();
      return clusterId === undefined || der === undefined ? "none" : identifyCertificate(clusterId, der);
    }
    // Another scheme, or an empty token, is nobody's to judge: who makes the request is unknown.
    const token = /^Bearer (\S+)/i.exec(header)?.[1];
    if (token === undefined) return "none";
    return tokens.cachedToken(token) ?? verify(clusterId, token);
  };
  const onUnknown =
    (request: ApiRequest) =>
    (error: unknown): void =>
      log.error("request failed", error, { id: requestId(), method: request.method, path: request.url.split("?")[0] });

  return async (request) => {
    const { id, url } = split(request.url);
    const below = id === undefined ? request : new RequestBelow(request, url);
    const mark = url.indexOf("?");
    const path = mark < 0 ? url : url.slice(0, mark);
    const health = Documents.health(path, url, request);
    // Who says nothing of himself is answered whatever is wrong with the rest.
    if (health && request.header("authorization") === undefined) return health;
    try {
      const issuer = () => issuerDocument(path, request.url.slice(0, request.url.length - url.length), request, tokens);
      const asksIssuer = isIssuerPath(path);
      const published = asksIssuer && id === undefined ? await issuer() : undefined;
      if (published) return published;
      const identified = identify(request, id);
      const verified = identified instanceof Promise ? await identified : identified;
      if (verified === "bad") return failure(new StatusError("Unauthorized", "Unauthorized"), request);
      if (health) return health;
      if (verified === "none")
        return failure(forbidden(anonymous, attributesOf(request.method, parseRequest(request.method, url)), ""), request);
      if (id !== undefined && id !== verified.cluster.cluster) return failure(noSuchResource(), request);
      const waitSeconds = throttle?.(verified.cluster.tenant) ?? 0;
      if (waitSeconds > 0) return failure(tooManyRequests(waitSeconds), request);
      const part = directory.openPart && (await directory.openPart(verified, below));
      const served = part ?? (await directory.open(verified.cluster));
      if (!served) return failure(noSuchResource(), request);
      const user = served.tokens.accept(verified);
      if (!user) return failure(new StatusError("Unauthorized", "Unauthorized"), request);
      const asked = asksIssuer ? await issuer() : undefined;
      if (asked) return asked;
      const answer = await serveCluster(served, below, user, onUnknown(request));
      const counted = meter ? metered(meter, verified.cluster, request.method, answer) : answer;
      return isStream(counted.body) && isWatch(below) ? overWebSocket(below, counted, counted.body) : counted;
    } catch (error) {
      onUnknown(request)(error);
      return failure(internalError(), request);
    }
  };
}

const isWatch = ({ method, url }: ApiRequest): boolean => parseRequest(method, url).resource?.verb === "watch";

/** As kube-apiserver's filters refuse (`tooManyRequests`). */
const tooManyRequests = (retryAfterSeconds: number): StatusError =>
  new StatusError("TooManyRequests", "Too many requests, please try again later.", { retryAfterSeconds });

/** A request as the cluster sees it: without the path prefix that names the cluster. */
class RequestBelow implements ApiRequest {
  readonly url: string;
  readonly #request: ApiRequest;
  constructor(request: ApiRequest, url: string) {
    this.url = url;
    this.#request = request;
  }
  get root(): string {
    return this.#request.url.slice(0, this.#request.url.length - this.url.length);
  }
  get stream(): ApiRequest["stream"] {
    return this.#request.stream?.bind(this.#request);
  }
  get onClosed(): ApiRequest["onClosed"] {
    return this.#request.onClosed?.bind(this.#request);
  }
  get clientAddress(): string | undefined {
    return this.#request.clientAddress;
  }
  get upgradable(): boolean {
    return this.#request.upgradable === true;
  }
  get method(): string {
    return this.#request.method;
  }
  header(name: string): string | undefined {
    return this.#request.header(name);
  }
  headersFrom(prefix: string): readonly (readonly [name: string, value: string])[] {
    return this.#request.headersFrom(prefix);
  }
  clientCertificate(): Buffer | undefined {
    return this.#request.clientCertificate?.();
  }
  body(limit: number): Promise<Buffer> {
    return this.#request.body(limit);
  }
}

function split(url: string): { id: string | undefined; url: string } {
  if (!url.startsWith(prefix)) return { id: undefined, url };
  const end = url.slice(prefix.length).search(/[/?]/);
  if (end < 0) return { id: url.slice(prefix.length), url: "/" };
  const rest = url.slice(prefix.length + end);
  return { id: url.slice(prefix.length, prefix.length + end), url: rest.startsWith("/") ? rest : `/${rest}` };
}
