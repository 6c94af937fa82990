import { posix } from "node:path";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { StatusError } from "../../../kubernetes/status-error.ts";
import type { Call } from "../../cluster-api.ts";
import { ConnectError } from "../../pod-streams.ts";
import { type ApiResponse, methodNotAllowed } from "../../response.ts";
import { admitOptions, connect, dialing, elsewhere } from "./connection.ts";
import { type Destination, destinationOf } from "./destination.ts";
import { answerOf, type Forwarded, forwardedHeaders, sendRequest, sendUpgrade } from "./forward-http.ts";
import { rewriteAnswer } from "./rewrite-answer.ts";

const methods = new Set(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]);

/** `proxy` of pods, services and nodes: the request goes on to what the name stands for (`UpgradeAwareHandler` of apimachinery). */
export async function proxyTo(call: Call): Promise<ApiResponse> {
  const { request, info, target } = call;
  const { method } = request;
  if (!methods.has(method)) throw methodNotAllowed();
  const redirected = elsewhere(call);
  if (redirected) return redirected;
  const below = pathBelow(info.path, target.subresource);
  await admitOptions(call, below === "" ? {} : { path: below });
  const destination = await destinationOf(call);
  const mark = request.url.indexOf("?");
  const query = mark < 0 ? "" : request.url.slice(mark);
  const escaped = escapedPath(below === "" ? "" : joined(below));
  if (request.upgradable) return upgrade(call, destination, `${escaped === "" ? "/" : escaped}${query}`);
  const full = `${request.root ?? ""}${info.path}`;
  if (escaped === "" && (method === "GET" || method === "HEAD"))
    return { status: 301, headers: { location: `${full}/${query}` }, body: Buffer.alloc(0) };
  const prefix = full.endsWith(escaped) ? full.slice(0, full.length - escaped.length) : full;
  const forwarded: Forwarded = {
    method,
    path: `${escaped === "" ? "/" : escaped}${query}`,
    headers: { ...forwardedHeaders(request, false), "x-forwarded-uri": posix.join(prefix, escaped === "" ? "/" : escaped) },
  };
  try {
    const connection = await reach(call, destination);
    const answer = await sendRequest(request, connection, forwarded);
    const page = { host: destination.host, path: escaped, requestHost: request.header("host") ?? "", prefix, isHead: method === "HEAD" };
    return withoutCors(await rewriteAnswer(answer, page, (body) => answerOf(answer, body)));
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw new StatusError("ServiceUnavailable", `error trying to reach service: ${error instanceof Error ? error.message : "unknown"}`);
  }
}

async function upgrade(call: Call, destination: Destination, path: string): Promise<ApiResponse> {
  const { request } = call;
  try {
    const connection = await reach(call, destination);
    return await sendUpgrade(connection, { method: request.method, path, headers: forwardedHeaders(request, true) });
  } catch (error) {
    throw dialing(error);
  }
}

async function reach(call: Call, { nodeName, target, scheme }: Destination): Promise<Duplex> {
  const connection = await connect(call, nodeName, target);
  if (scheme === "http" || target.kind === "node") return connection;
  // kube-apiserver does not ask for the certificates of what it proxies to, either.
  const secured = connectTls({ socket: connection, rejectUnauthorized: false });
  return new Promise((resolve, reject) => {
    secured.once("secureConnect", () => resolve(secured));
    secured.once("error", (error: NodeJS.ErrnoException) => reject(new ConnectError(tlsProblem(error))));
  });
}

/** In Go's words where there are some, and without OpenSSL's places in its source. */
const tlsProblem = ({ code, message }: NodeJS.ErrnoException): string =>
  code === "ERR_SSL_WRONG_VERSION_NUMBER" ? "tls: first record does not look like a TLS handshake" : `tls: ${code ?? message}`;

/** What follows the subresource, decoded, beginning with a slash; empty: nothing does, not even a slash. */
function pathBelow(path: string, subresource: string): string {
  const parts = path.split("/");
  const at = parts.indexOf(subresource, parts[1] === "api" ? 3 : 4);
  const rest = parts.slice(at + 1);
  if (rest.length === 0) return "";
  try {
    return decodeURIComponent(`/${rest.join("/")}`);
  } catch {
    throw new StatusError("BadRequest", "the path is not as URLs are escaped");
  }
}

/** `JoinPreservingTrailingSlash`: no `..` leads out of the root. */
const joined = (path: string): string => {
  const clean = posix.normalize(`/${path}`);
  return path.endsWith("/") && !clean.endsWith("/") ? `${clean}/` : clean;
};

/** As Go escapes a path (`URL.EscapedPath`). */
const escapedPath = (path: string): string =>
  path.replaceAll(/[^A-Za-z0-9\-_.~$&+,/:;=@]+/g, (text) =>
    encodeURIComponent(text).replaceAll(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`),
  );

const cors = new Set(["credentials", "headers", "methods", "origin"].map((name) => `access-control-allow-${name}`));
const withoutCors = (answer: ApiResponse): ApiResponse => ({
  ...answer,
  headers: Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !cors.has(name))),
});
