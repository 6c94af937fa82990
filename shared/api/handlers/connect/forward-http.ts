import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { UnexplainedError } from "../../../kubernetes/status-error.ts";
import type { ApiRequest } from "../../request-info.ts";
import type { ApiResponse, StreamBody } from "../../response.ts";
import { protocolHeader, withoutToken } from "../../websocket-token.ts";

/** A request as it goes on to a node or a pod. */
export interface Forwarded {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
}

/** What concerns the way between two neighbours alone (RFC 9110 §7.6.1), as `httputil.ReverseProxy` removes it. */
const hopByHop = new Set([
  ...["connection", "proxy-connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer"],
  ...["transfer-encoding", "upgrade"],
]);

/** The client's headers without what was for this server: its credentials, and whom it acts as. */
export function forwardedHeaders(request: ApiRequest, upgrade: boolean): Record<string, string | string[]> {
  const named = new Set((request.header("connection") ?? "").split(",").map((name) => name.trim().toLowerCase()));
  const headers: Record<string, string[]> = {};
  for (const [name, value] of request.headersFrom("")) {
    if (name === "authorization" || name === "expect" || name.startsWith("impersonate-")) continue;
    const isOfHop = hopByHop.has(name) || named.has(name);
    if (isOfHop && !(upgrade && (name === "connection" || name === "upgrade"))) continue;
    headers[name] = [...(headers[name] ?? []), name === protocolHeader ? withoutToken(value) : value];
  }
  // Framed anew, whatever the method: bytes of a body must not look like a request of their own.
  if (!upgrade && request.header("transfer-encoding") !== undefined) {
    headers["transfer-encoding"] = ["chunked"];
    delete headers["content-length"];
  }
  if (request.clientAddress !== undefined) {
    const before = headers["x-forwarded-for"] ?? [];
    headers["x-forwarded-for"] = [[...before, request.clientAddress].join(", ")];
  }
  return Object.fromEntries(Object.entries(headers).map(([name, values]) => [name, values.length === 1 ? (values[0] ?? "") : values]));
}

/** @throws Error as the connection fails before there is an answer */
export function sendRequest(request: ApiRequest, connection: Duplex, forwarded: Forwarded): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ ...forwarded, createConnection: () => connection });
    request.onClosed?.(() => connection.destroy());
    outgoing.once("response", resolve);
    outgoing.on("error", (error: NodeJS.ErrnoException) => reject(new Error(error.code === "ECONNRESET" ? "EOF" : error.message)));
    const hasBody = forwarded.headers["content-length"] !== undefined || forwarded.headers["transfer-encoding"] !== undefined;
    const body = hasBody ? request.stream?.() : undefined;
    if (body === undefined) outgoing.end();
    else body.pipe(outgoing);
  });
}

/** The request with its wish to go on in another protocol. What refuses it is answered as it is. @throws StatusError */
export function sendUpgrade(connection: Duplex, forwarded: Forwarded): Promise<ApiResponse> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ ...forwarded, createConnection: () => connection });
    outgoing.once("upgrade", ({ headersDistinct }, upstream, head) => {
      if (head.length > 0) upstream.unshift(head);
      resolve({ status: 101, ...headersOf(headersDistinct, () => true), body: { take: (client) => join(client, upstream) } });
    });
    outgoing.once("response", (answer) => {
      const { statusCode = 0 } = answer;
      if (statusCode < 400) {
        connection.destroy();
        reject(new UnexplainedError(`invalid upgrade response: status code ${statusCode}`));
      } else resolve(answerOf(answer));
    });
    outgoing.on("error", (error) => reject(new UnexplainedError(`error sending request: ${error.message}`)));
    outgoing.end();
  });
}

/** An answer as it goes back, without what is of one hop. */
export function answerOf(answer: IncomingMessage, body: ApiResponse["body"] = streamOf(answer)): ApiResponse {
  const named = new Set((answer.headers.connection ?? "").split(",").map((name) => name.trim().toLowerCase()));
  return {
    status: answer.statusCode ?? 502,
    ...headersOf(answer.headersDistinct, (name) => !hopByHop.has(name) && !named.has(name)),
    body,
  };
}

function streamOf(answer: IncomingMessage): StreamBody {
  return {
    start(sink) {
      answer.on("data", (chunk: Buffer) => {
        if (sink.write(chunk)) return;
        answer.pause();
        void sink.drained().then(() => answer.resume());
      });
      answer.on("error", () => answer.destroy());
      // One that breaks off breaks the answer off: its receiver must not take it for whole.
      answer.once("close", () => (answer.complete ? sink.end() : (sink.abort ?? sink.end)()));
      return () => answer.destroy();
    },
  };
}

function headersOf(all: NodeJS.Dict<string[]>, keep: (name: string) => boolean): Pick<ApiResponse, "headers" | "cookies"> {
  const { "set-cookie": cookies, ...rest } = all;
  const kept = Object.entries(rest).flatMap(([name, values = []]) => (keep(name) ? [[name, values.join(", ")] as const] : []));
  return { headers: Object.fromEntries(kept), ...(cookies && { cookies }) };
}

/** Bytes in both directions at the pace of the slower side; when one side ends or fails, so does the other. */
function join(one: Duplex, other: Duplex): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.pipe(to);
    from.on("error", () => from.destroy());
    from.once("close", () => {
      if (to.writableFinished) return void to.destroy();
      to.once("finish", () => to.destroy());
      to.end();
    });
  }
}
