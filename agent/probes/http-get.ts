import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Container, HTTPGetAction } from "../../shared/kubernetes/types.ts";

/** A request as kubelet makes it of a probe or a lifecycle hook (`pkg/probe/http/request.go`). */
export interface HttpGet {
  readonly url: URL;
  /** By name in small letters; several values of one stay apart. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

const maximumBody = 10 * 1024;
const maximumRedirects = 10;

/** A port given by number or by the name of one of the container's ports. @throws RangeError */
export function portNumber(port: number | string, container: Container): number {
  const number = typeof port === "number" ? port : (container.ports?.find(({ name }) => name === port)?.containerPort ?? Number(port));
  if (!Number.isInteger(number) || number < 1 || number > 65535) throw new RangeError(`invalid port number: ${port}`);
  return number;
}

/** `purpose` is what the request says it is for. @throws RangeError where the container has no such port */
export function httpGetOf(action: HTTPGetAction, container: Container, podIp: string, purpose: "probe" | "lifecycle"): HttpGet {
  const host = action.host === undefined || action.host === "" ? podIp : action.host;
  const origin = `${(action.scheme ?? "HTTP").toLowerCase()}://${host.includes(":") ? `[${host}]` : host}:${portNumber(action.port, container)}`;
  const headers: Record<string, string[]> = {};
  for (const { name, value } of action.httpHeaders ?? []) headers[name.toLowerCase()] = [...(headers[name.toLowerCase()] ?? []), value];
  headers["user-agent"] ??= [`kube-${purpose}/1.33`];
  headers.accept ??= ["*/*"];
  if (headers.accept[0] === "") delete headers.accept;
  headers.connection = ["close"];
  return { url: urlAt(origin, action.path ?? ""), headers };
}

/** Path and query alone are the action's: where it names another host, that is not asked. */
function urlAt(origin: string, path: string): URL {
  const url = new URL(origin);
  const named = URL.parse(path, origin);
  url.pathname = named?.pathname ?? path;
  url.search = named?.search ?? "";
  return url;
}

/** Sends it, and follows where it is sent on the same host. @throws Error (rejects) when there is no answer */
export async function sendHttpGet({ url: first, headers }: HttpGet, signal: AbortSignal): Promise<HttpAnswer> {
  let url = first;
  for (let redirects = 0; ; redirects++) {
    const { status, location, body } = await get(url, headers, signal);
    if (status < 300 || status >= 400 || location === undefined) return { status, body };
    const next = new URL(location, url);
    if (next.hostname !== url.hostname) return { status, body };
    if (redirects === maximumRedirects) throw new Error("stopped after 10 redirects");
    url = next;
  }
}

function get(url: URL, headers: HttpGet["headers"], signal: AbortSignal): Promise<HttpAnswer & { readonly location: string | undefined }> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === "https:" ? httpsRequest : httpRequest;
    // It is to be known whether something answers, not who: kubelet skips certificate checks too.
    const options = { headers: valuesOf(headers), signal, agent: false, rejectUnauthorized: false };
    const request = send(url, options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const finish = (): void =>
        resolve({
          status: response.statusCode ?? 0,
          location: response.headers.location,
          body: Buffer.concat(chunks).toString("utf8", 0, maximumBody),
        });
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size >= maximumBody) {
          finish();
          response.destroy();
        }
      });
      response.on("end", finish);
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end();
  });
}

const valuesOf = (headers: HttpGet["headers"]): Record<string, string | string[]> =>
  Object.fromEntries(Object.entries(headers).map(([name, values]) => [name, values.length === 1 ? (values[0] ?? "") : [...values]]));

/** Why there was no connection or no answer, as Go's dialer says it. */
export function dialProblem(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(dialProblem).join("; ");
  if (!(error instanceof Error)) return String(error);
  if (!("code" in error) || error.code !== "ECONNREFUSED") return error.message;
  const place = "address" in error && "port" in error ? `dial tcp ${error.address}:${error.port}: connect: ` : "";
  return `${place}connection refused`;
}

/** Whether what was asked in TLS answered in something else, which may be HTTP. */
export const isPlainAnswer = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "EPROTO" && error.message.includes("wrong version number");
