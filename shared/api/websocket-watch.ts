import { createHash } from "node:crypto";
import type { Duplex } from "node:stream";
import type { ApiRequest } from "./request-info.ts";
import type { ApiResponse, StreamBody } from "./response.ts";
import { frameOf, readFrames } from "./websocket-frames.ts";
import { protocolHeader, withoutToken } from "./websocket-token.ts";

const isAsked = (request: ApiRequest): boolean =>
  request.upgradable === true &&
  request.header("upgrade")?.toLowerCase() === "websocket" &&
  (request.header("connection") ?? "").toLowerCase().includes("upgrade");

const refused = (status: number, why: string): ApiResponse => ({ status, headers: { connection: "close" }, body: Buffer.from(why) });

/**
 * A watch as the messages of a WebSocket, one an event, where the client asked for one; else the answer as it is. The handshake is that of
 * kube-apiserver (golang.org/x/net/websocket, RFC 6455 §4.2): it wants an origin, and takes whichever one sub-protocol is offered.
 */
export function overWebSocket(request: ApiRequest, answer: ApiResponse, body: StreamBody): ApiResponse {
  if (!isAsked(request)) return answer;
  const key = request.header("sec-websocket-key") ?? "";
  if (key === "") return refused(400, "mismatch challenge/response");
  if (request.header("sec-websocket-version") !== "13")
    return { ...refused(400, "missing or bad WebSocket Version"), headers: { connection: "close", "sec-websocket-version": "13" } };
  if (!URL.canParse(request.header("origin") ?? "")) return refused(403, "");
  const protocols = withoutToken(request.header(protocolHeader) ?? "");
  if (protocols.includes(",")) return refused(400, "");
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  return {
    status: 101,
    headers: {
      upgrade: "websocket",
      connection: "Upgrade",
      "sec-websocket-accept": accept,
      ...(protocols !== "" && { [protocolHeader]: protocols }),
    },
    body: { take: (connection) => send(connection, body, answer.headers["content-type"] === "application/json") },
  };
}

const opcodes = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const normalClosure = Buffer.from([0x03, 0xe8]);

function send(connection: Duplex, body: StreamBody, isText: boolean): void {
  const stop = body.start({
    write(chunk) {
      let flows = true;
      for (const event of isText ? linesOf(chunk) : framesOf(chunk))
        flows = connection.write(frameOf(isText ? opcodes.text : opcodes.binary, event));
      return flows;
    },
    drained: () =>
      new Promise((resolve) => {
        connection.once("drain", resolve);
        connection.once("close", resolve);
      }),
    end: () => connection.end(frameOf(opcodes.close, normalClosure)),
    abort: () => connection.destroy(),
  });
  connection.once("close", stop);
  readFrames(connection, (opcode, payload) => {
    if (opcode === opcodes.ping) connection.write(frameOf(opcodes.pong, payload));
    else if (opcode === opcodes.close) connection.end(frameOf(opcodes.close, payload.subarray(0, 2)));
  });
}

/** Events in JSON, each with the line break behind it. */
function* linesOf(chunk: Buffer): Generator<Buffer> {
  for (let at = 0; at < chunk.length; ) {
    const end = chunk.indexOf(0x0a, at);
    const next = end < 0 ? chunk.length : end + 1;
    yield chunk.subarray(at, next);
    at = next;
  }
}

/** Events in protocol buffers, without the length before each: messages have their own. */
function* framesOf(chunk: Buffer): Generator<Buffer> {
  for (let at = 0; at + 4 <= chunk.length; ) {
    const end = at + 4 + chunk.readUInt32BE(at);
    yield chunk.subarray(at + 4, end);
    at = end;
  }
}
