import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createWebSocketStream, WebSocket } from "ws";
import type { ContainerStreams } from "../../../../agent/runtime.ts";
import { createNodeServer, type NodePods, NodeRefusal } from "../../../../agent/streams/node-server.ts";
import { createSpdyConnection, type SpdyConnection } from "../../../../agent/streams/spdy/connection.ts";
import type { Pod } from "../../../../shared/kubernetes/types.ts";
import { textOf } from "./duplex-pair.ts";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const pod: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { namespace: "ns", name: "box", uid: "u1" },
  spec: { containers: [{ name: "main", image: "i" }] },
};

/** Says what it reads in capitals, tells sizes on stderr, and ends with 7 when its input ends. */
async function shout(io: ContainerStreams): Promise<{ exitCode: number }> {
  io.onResize(({ columns, rows }) => (io.stderr ?? io.stdout)?.write(`${columns}x${rows};`));
  for await (const chunk of io.stdin ?? []) io.stdout?.write(String(chunk).toUpperCase());
  return { exitCode: 7 };
}

/** The node's server as it is reached through a tunnel, here over connections of this machine. */
async function bed(change: Partial<NodePods> = {}) {
  const asked: string[] = [];
  const pods: NodePods = {
    list: () => [pod],
    async exec(_pod, container, command) {
      if (container !== "main") throw new NodeRefusal(500, `container not found ("${container}")`);
      asked.push(command.join(" "));
      return shout;
    },
    attach: async () => async (io) => void (await shout(io)),
    forward: async () => async (port) => {
      if (port !== 80) throw new Error(`dial tcp 127.0.0.1:${port}: connect: connection refused`);
      const echo = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
      ends.push(() => echo.close());
      await once(echo, "listening");
      const address = echo.address();
      return connect({ port: typeof address === "object" ? (address?.port ?? 0) : 0, host: "127.0.0.1", allowHalfOpen: true });
    },
    log: async () => new ReadableStream({ start: (controller) => controller.close() }),
    ...change,
  };
  const clusters: string[] = [];
  const node = createNodeServer((cluster) => {
    clusters.push(cluster);
    return pods;
  });
  const server = createServer({ allowHalfOpen: true }, (socket) => node.serve(socket, "c1")).listen(0, "127.0.0.1");
  ends.push(() => server.close());
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  return { port, asked, clusters, host: `127.0.0.1:${port}` };
}

interface Heard {
  readonly socket: WebSocket;
  /** Text by channel. */
  readonly said: Map<number, string>;
  readonly closed: Promise<number>;
}

async function listen(url: string, protocols: string[]): Promise<Heard> {
  const socket = new WebSocket(url, protocols);
  ends.push(() => socket.terminate());
  const said = new Map<number, string>();
  const base64 = protocols[0]?.includes("base64") === true;
  socket.on("message", (bytes: Buffer) => {
    const channel = base64 ? Number(String(bytes)[0]) : (bytes[0] ?? -1);
    const text = base64 ? Buffer.from(String(bytes).slice(1), "base64").toString() : bytes.subarray(1).toString("latin1");
    said.set(channel, (said.get(channel) ?? "") + text);
  });
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  await once(socket, "open");
  return { socket, said, closed };
}

/** A client for names of protocols that RFC 6455 does not allow: the library is shown others. */
async function openTunnelled(url: string, protocol: string): Promise<WebSocket> {
  const shown = protocol.replaceAll("/", "|");
  const socket = new WebSocket(url, [shown], {
    finishRequest(outgoing) {
      outgoing.setHeader("sec-websocket-protocol", protocol);
      outgoing.prependListener("upgrade", ({ headers }) => {
        expect(headers["sec-websocket-protocol"]).toBe(protocol);
        headers["sec-websocket-protocol"] = shown;
      });
      outgoing.end();
    },
  });
  ends.push(() => socket.terminate());
  await once(socket, "open");
  return socket;
}

const frame = (channel: number, text: string): Buffer => Buffer.concat([Buffer.from([channel]), Buffer.from(text)]);
const nonZero = {
  metadata: {},
  status: "Failure",
  message: "command terminated with non-zero exit code: exit status 7",
  reason: "NonZeroExitCode",
  details: { causes: [{ reason: "ExitCode", message: "7" }] },
};

async function dialSpdy(
  port: number,
  path: string,
  protocol: string,
): Promise<{ spdy: SpdyConnection; status: number; protocol: unknown }> {
  const headers = { connection: "Upgrade", upgrade: "SPDY/3.1", "x-stream-protocol-version": protocol };
  const outgoing = httpRequest({ port, host: "127.0.0.1", method: "POST", path, headers }).end();
  const [answer, socket] = (await once(outgoing, "upgrade")) as [{ statusCode: number; headers: Record<string, string> }, Socket];
  ends.push(() => socket.destroy());
  return {
    spdy: createSpdyConnection(socket, { role: "client" }),
    status: answer.statusCode,
    protocol: answer.headers["x-stream-protocol-version"],
  };
}

describe("exec over a WebSocket", () => {
  it("carries input, output, sizes and the exit code as a Status; version 5 ends the input", async () => {
    const { host, asked, clusters } = await bed();
    const query = "command=say&command=it&input=1&output=1&error=1";
    const { socket, said, closed } = await listen(`ws://${host}/exec/ns/box/u1/main?${query}`, ["v5.channel.k8s.io", "v4.channel.k8s.io"]);
    expect(socket.protocol).toBe("v5.channel.k8s.io");
    socket.send(frame(4, '{"Width":80,"Hei'));
    socket.send(frame(4, 'ght":24}'));
    socket.send(frame(0, "hello"));
    socket.send(Buffer.from([255, 0]));
    expect(await closed).toBe(1000);
    expect([said.get(1), said.get(2)]).toEqual(["HELLO", "80x24;"]);
    expect(JSON.parse(said.get(3) ?? "")).toEqual(nonZero);
    expect([asked, clusters]).toEqual([["say it"], ["c1"]]);
  });

  it("tells earlier versions the exit code as they know it, as text without a version", async () => {
    const silent: Partial<NodePods> = { exec: async () => async () => ({ exitCode: 7 }) };
    const { host } = await bed(silent);
    const url = `ws://${host}/exec/ns/box/main?command=x&output=1`;
    const v4 = await listen(url, ["v4.channel.k8s.io"]);
    await v4.closed;
    expect(JSON.parse(v4.said.get(3) ?? "")).toEqual(nonZero);
    const text = await listen(url, ["v4.base64.channel.k8s.io"]);
    await text.closed;
    expect(JSON.parse(text.said.get(3) ?? "")).toEqual(nonZero);
    const first = await listen(url, ["channel.k8s.io"]);
    await first.closed;
    expect(first.said.get(3)).toBe("command terminated with non-zero exit code: exit status 7");
  });

  it("tells a command that could not be run, and the one that was when its client goes", async () => {
    const broken = await bed({ exec: async () => () => Promise.reject(new Error("no such program")) });
    const failed = await listen(`ws://${broken.host}/exec/ns/box/main?command=x&output=1`, ["v5.channel.k8s.io"]);
    await failed.closed;
    expect(JSON.parse(failed.said.get(3) ?? "")).toMatchObject({ reason: "InternalError", code: 500, message: /no such program/ });
    const gone = Promise.withResolvers<void>();
    const { host } = await bed({
      exec: async () => (io) =>
        new Promise((resolve) => {
          io.gone.addEventListener("abort", () => {
            gone.resolve();
            resolve({ exitCode: 137 });
          });
        }),
    });
    const { socket } = await listen(`ws://${host}/exec/ns/box/main?command=x&output=1`, ["v5.channel.k8s.io"]);
    socket.terminate();
    await gone.promise;
  });

  it("has the client of a command that does not read wait", async () => {
    const { host } = await bed({ exec: async () => () => new Promise(() => {}) });
    const { socket } = await listen(`ws://${host}/exec/ns/box/main?command=x&input=1`, ["v5.channel.k8s.io"]);
    for (let sent = 0; sent < 64; sent++) socket.send(frame(0, "x".repeat(512 * 1024)));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(socket.bufferedAmount).toBeGreaterThan(8 * 1024 * 1024);
  });
});

describe("exec over SPDY", () => {
  it("carries the same by streams", async () => {
    const { port } = await bed();
    const { spdy, protocol } = await dialSpdy(port, "/exec/ns/box/main?command=x&input=1&output=1&tty=1", "v4.channel.k8s.io");
    expect(protocol).toBe("v4.channel.k8s.io");
    const [error, stdin, stdout, resize] = await Promise.all(
      ["error", "stdin", "stdout", "resize"].map((streamType) => spdy.open({ streamType })),
    );
    resize?.write('{"Width":100,"Height":30}');
    stdin?.end("hello");
    const [out, said] = await Promise.all([stdout && textOf(stdout), error && textOf(error)]);
    expect(out?.replace("100x30;", "")).toBe("HELLO");
    expect(out).toContain("100x30;");
    expect(JSON.parse(said ?? "")).toEqual(nonZero);
    await spdy.ended;
  });
});

describe("ports", () => {
  const path = "/portForward/ns/box/u1";

  it("are forwarded by pairs of SPDY streams, of which the second tells what went wrong", async () => {
    const { port } = await bed();
    const { spdy } = await dialSpdy(port, path, "portforward.k8s.io");
    const open = (streamtype: string, to: string, requestid: string) => spdy.open({ streamtype, port: to, requestid });
    const [error, data] = [await open("error", "80", "0"), await open("data", "80", "0")];
    data.end("echo");
    expect([await textOf(data), await textOf(error)]).toEqual(["echo", ""]);
    const refused = await open("error", "81", "1");
    await open("data", "81", "1");
    expect(await textOf(refused)).toBe("error forwarding port 81 to pod box, uid u1: dial tcp 127.0.0.1:81: connect: connection refused");
    await expect(open("data", "none", "2")).rejects.toThrow("reset");
    spdy.close();
  });

  it("are forwarded by channels of a WebSocket, two a port, each of which begins with the port", async () => {
    const { host } = await bed();
    const { socket, said, closed } = await listen(`ws://${host}${path}?port=80,81`, ["v4.channel.k8s.io"]);
    socket.send(frame(0, "echo"));
    await expect.poll(() => [said.get(0), said.get(1), said.get(2)]).toEqual(["P\0echo", "P\0", "Q\0"]);
    await expect.poll(() => said.get(3)).toContain("Q\0error forwarding port 81 to pod box, uid u1: dial tcp");
    socket.close();
    await closed;
  });

  it("are forwarded by SPDY through a WebSocket", async () => {
    const { host } = await bed();
    const socket = await openTunnelled(`ws://${host}${path}`, "SPDY/3.1+portforward.k8s.io");
    const spdy = createSpdyConnection(createWebSocketStream(socket), { role: "client" });
    const headers = { port: "80", requestid: "0" };
    const error = await spdy.open({ ...headers, streamtype: "error" });
    const data = await spdy.open({ ...headers, streamtype: "data" });
    data.end("echo");
    expect([await textOf(data), await textOf(error)]).toEqual(["echo", ""]);
    spdy.close();
  });
});

describe("what the node refuses", () => {
  const refusal = async (host: string, path: string, headers: Record<string, string>): Promise<[number | undefined, string]> => {
    const [hostname, port] = host.split(":");
    const outgoing = httpRequest({ host: hostname, port, path, method: "POST", headers }).end();
    const [answer] = await once(outgoing, "response");
    return [answer.statusCode, (await textOf(answer)).trim()];
  };
  const spdy = { connection: "Upgrade", upgrade: "SPDY/3.1" };

  it("is told in kubelet's words", async () => {
    const { host } = await bed();
    expect(await refusal(host, "/exec/ns/box/main?command=x", spdy)).toEqual([400, "you must specify at least 1 of stdin, stdout, stderr"]);
    expect(await refusal(host, "/exec/ns/other/main?command=x&output=1", spdy)).toEqual([404, "pod does not exist"]);
    expect(await refusal(host, "/exec/ns/box/u2/main?command=x&output=1", spdy)).toEqual([404, "pod not found"]);
    expect(await refusal(host, "/exec/ns/box/none?command=x&output=1", spdy)).toEqual([500, 'container not found ("none")']);
    expect(await refusal(host, "/exec/ns/box/main?command=x&output=1", {})).toEqual([400, "Upgrade request required"]);
    const unknown = { ...spdy, "x-stream-protocol-version": "v9.channel.k8s.io" };
    expect((await refusal(host, "/exec/ns/box/main?command=x&output=1", unknown))[0]).toBe(403);
    const socket = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    };
    expect(await refusal(host, "/portForward/ns/box", socket)).toEqual([400, 'query parameter "port" is required']);
  });
});
