import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { type DecodedPacket, decode, encode } from "dns-packet";
import type { Log } from "../../shared/telemetry/log.ts";
import { encodeResponse, type ResponseCode, resolveInZone, responseCodes } from "./answer.ts";
import { framed, splitMessages, type Upstream } from "./upstream.ts";
import type { Zone } from "./zone.ts";

export interface DnsServerOptions {
  readonly upstream: Upstream;
  /** Uniform in [0, 1): the order of a name's addresses, the ids of queries of its own. */
  readonly random: () => number;
  readonly log: Log;
}

/** Which cluster a question belongs to, by the address it came from; undefined: nobody's, and it is not answered. */
type ZoneOf = (remoteAddress: string) => Zone | undefined;

export interface DnsServer {
  /** Answers over UDP and TCP there. Port 0 takes a free one. Rejects when the address cannot be bound. */
  listen(address: string, port: number, zoneOf: ZoneOf): Promise<{ readonly port: number; close(): Promise<void> }>;
  close(): Promise<void>;
}

const tcpIdleMs = 10_000;
const maxTcpConnections = 256;
const headerBytes = 12;
const portTries = 10;

/** Cluster DNS for a node's pods. Names of other zones are asked of the machine's own resolvers. */
export function createDnsServer(options: DnsServerOptions): DnsServer {
  const listeners = new Set<() => Promise<void>>();
  return {
    async listen(address, port, zoneOf) {
      const respond = (message: Buffer, remote: string, transport: "udp" | "tcp"): Promise<Buffer | undefined> =>
        answerMessage(message, zoneOf(remote), transport, options).catch((cause: unknown) => {
          options.log.error("DNS query failed", cause);
          return undefined;
        });
      const { udp, tcp } = await bindBoth(address, port, (socket) => serveTcp(socket, respond));
      udp.on("message", (message, remote) => {
        void respond(message, remote.address, "udp").then((response) => {
          if (response !== undefined && listeners.has(close)) udp.send(response, remote.port, remote.address, () => {});
        });
      });
      udp.on("error", (cause) => options.log.error("DNS socket failed", cause, { address }));
      const close = async (): Promise<void> => {
        if (!listeners.delete(close)) return;
        await Promise.all([
          new Promise<void>((resolve) => udp.close(() => resolve())),
          new Promise<void>((resolve) => {
            tcp.server.close(() => resolve());
            for (const socket of tcp.sockets) socket.destroy();
          }),
        ]);
      };
      listeners.add(close);
      return { port: udp.address().port, close };
    },
    async close() {
      await Promise.all([...listeners].map((close) => close()));
    },
  };
}

/** The response to one message; undefined for what deserves none. */
async function answerMessage(
  message: Buffer,
  zone: Zone | undefined,
  transport: "udp" | "tcp",
  { upstream, random }: DnsServerOptions,
): Promise<Buffer | undefined> {
  if (message.length < headerBytes) return undefined;
  const query = decodeQuery(message);
  if (query === undefined) return headerOnly(message, responseCodes.formatError);
  if (query.type === "response") return undefined;
  if ((message.readUInt8(2) & 0x78) !== 0) return headerOnly(message, responseCodes.notImplemented);
  const question = query.questions?.[0];
  if (question === undefined || query.questions?.length !== 1) return headerOnly(message, responseCodes.formatError);
  if (question.class !== undefined && question.class !== "IN") return encodeResponse(query, { code: responseCodes.refused }, transport);
  // An address that no pod has may get one within the second: a failure is asked again, a refusal is not.
  if (zone === undefined) return encodeResponse(query, { code: responseCodes.serverFailure }, transport);

  const resolution = resolveInZone(zone, question, random());
  switch (resolution.kind) {
    case "forward":
      return (await upstream.ask(message, transport)) ?? encodeResponse(query, { code: responseCodes.serverFailure }, transport);
    case "forward-alias": {
      const asked = encode({
        type: "query",
        id: Math.floor(random() * 65_536),
        flags: 0x0100,
        questions: [{ name: resolution.target, type: question.type, class: "IN" }],
      });
      const received = await upstream.ask(asked, "tcp").then(async (viaTcp) => viaTcp ?? (await upstream.ask(asked, "udp")));
      const decoded = received === undefined ? undefined : decodeQuery(received);
      const code: ResponseCode = decoded === undefined ? responseCodes.serverFailure : codeOf(decoded);
      return encodeResponse(query, { code, answers: [...resolution.answers, ...(decoded?.answers ?? [])] }, transport);
    }
    case "answer":
      return encodeResponse(
        query,
        {
          code: resolution.code,
          answers: resolution.answers,
          additionals: resolution.additionals,
          authorities: resolution.soa === undefined ? [] : [resolution.soa],
          authoritative: true,
        },
        transport,
      );
    default:
      return resolution satisfies never;
  }
}

function decodeQuery(message: Buffer): DecodedPacket | undefined {
  try {
    return decode(message);
  } catch {
    return undefined;
  }
}

function codeOf(packet: DecodedPacket): ResponseCode {
  const code = (packet.flags ?? 0) & 0xf;
  return Object.values(responseCodes).find((known) => known === code) ?? responseCodes.serverFailure;
}

/** For what cannot be read further than its id. */
function headerOnly(message: Buffer, code: ResponseCode): Buffer {
  const response = Buffer.alloc(headerBytes);
  response.writeUInt16BE(message.readUInt16BE(0), 0);
  response.writeUInt16BE(0x8080 | (message.readUInt16BE(2) & 0x7900) | code, 2);
  return response;
}

/** One port for both; a free one (0) of UDP may be taken for TCP: then it is another. */
async function bindBoth(address: string, port: number, onConnection: (socket: Socket) => void) {
  for (let tries = 1; ; tries++) {
    const udp = await bindUdp(address, port);
    try {
      return { udp, tcp: await bindTcp(address, udp.address().port, onConnection) };
    } catch (cause) {
      udp.close();
      const isTaken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
      if (port !== 0 || !isTaken || tries === portTries) throw cause;
    }
  }
}

function bindUdp(address: string, port: number): Promise<UdpSocket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    socket.once("error", reject);
    socket.bind(port, address, () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

function bindTcp(address: string, port: number, serve: (socket: Socket) => void): Promise<{ server: Server; sockets: Set<Socket> }> {
  return new Promise((resolve, reject) => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      serve(socket);
    });
    server.maxConnections = maxTcpConnections;
    server.once("error", reject);
    server.listen(port, address, () => {
      server.off("error", reject);
      resolve({ server, sockets });
    });
  });
}

function serveTcp(socket: Socket, respond: (message: Buffer, remote: string, transport: "tcp") => Promise<Buffer | undefined>): void {
  let received = Buffer.alloc(0);
  const remote = socket.remoteAddress ?? "";
  socket.setTimeout(tcpIdleMs, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    const { messages, rest } = splitMessages(Buffer.concat([received, chunk]));
    received = Buffer.from(rest);
    for (const message of messages) {
      void respond(message, remote, "tcp").then((response) => {
        if (response !== undefined && !socket.destroyed) socket.write(framed(response));
      });
    }
  });
}
