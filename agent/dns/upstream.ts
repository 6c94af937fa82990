import { createSocket } from "node:dgram";
import { connect } from "node:net";
import type { Clock } from "../../shared/clock.ts";

/** Asks the machine's own resolvers. */
export interface Upstream {
  /** The response's bytes, under the id of the query; undefined when nobody answered. */
  ask(query: Buffer, transport: "udp" | "tcp"): Promise<Buffer | undefined>;
}

export interface UpstreamOptions {
  /** Addresses, in the order in which they are asked; read for each query. */
  readonly servers: () => Promise<readonly string[]>;
  readonly clock: Clock;
  readonly port?: number;
  /** For each server. */
  readonly timeoutMs?: number;
}

const defaultTimeoutMs = 2_000;
/** As many servers as resolv.conf(5) knows. */
const maxServers = 3;

/** Each query leaves from a socket of its own, so that a response that was not asked for finds no one (RFC 5452). */
export function createUpstream({ servers, clock, port = 53, timeoutMs = defaultTimeoutMs }: UpstreamOptions): Upstream {
  return {
    async ask(query, transport) {
      for (const server of (await servers()).slice(0, maxServers)) {
        const answer = await (transport === "udp" ? askUdp : askTcp)(query, server, port, clock, timeoutMs);
        if (answer !== undefined) return answer;
      }
      return undefined;
    },
  };
}

function askUdp(query: Buffer, server: string, port: number, clock: Clock, timeoutMs: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(server.includes(":") ? "udp6" : "udp4");
    const finish = (answer: Buffer | undefined): void => {
      cancel();
      socket.removeAllListeners();
      socket.on("error", () => {});
      socket.close();
      resolve(answer);
    };
    const cancel = clock.after(timeoutMs, () => finish(undefined));
    socket.on("error", () => finish(undefined));
    socket.on("message", (message) => {
      if (message.length >= 12 && message.readUInt16BE(0) === query.readUInt16BE(0)) finish(message);
    });
    // A connected socket takes messages from that server alone, and learns at once when its port is closed.
    socket.connect(port, server, () => socket.send(query));
  });
}

function askTcp(query: Buffer, server: string, port: number, clock: Clock, timeoutMs: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: server, port });
    let received = Buffer.alloc(0);
    const finish = (answer: Buffer | undefined): void => {
      cancel();
      socket.destroy();
      resolve(answer);
    };
    const cancel = clock.after(timeoutMs, () => finish(undefined));
    socket.on("error", () => finish(undefined));
    socket.on("close", () => finish(undefined));
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const [message] = splitMessages(received).messages;
      if (message !== undefined) finish(message);
    });
    socket.write(framed(query));
  });
}

/** RFC 1035 §4.2.2: two bytes of length before each message. */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

export function splitMessages(received: Buffer): { messages: Buffer[]; rest: Buffer } {
  const messages: Buffer[] = [];
  let rest = received;
  while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
    const end = 2 + rest.readUInt16BE(0);
    messages.push(rest.subarray(2, end));
    rest = rest.subarray(end);
  }
  return { messages, rest };
}
