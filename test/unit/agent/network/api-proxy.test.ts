import { connect, createServer, type Server } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ApiProxy, createApiProxy } from "../../../../agent/network/api-proxy.ts";
import { systemClock } from "../../../../shared/clock.ts";
import { silentLog } from "../../../../shared/telemetry/log.ts";

let server: Server;
let proxy: ApiProxy;
let port = 0;

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    const received: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => received.push(chunk));
    socket.on("end", () => socket.end(Buffer.concat(received)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  proxy = createApiProxy({
    serverUrl: `https://127.0.0.1:${typeof bound === "object" && bound !== null ? bound.port : 0}`,
    clock: systemClock,
    log: silentLog,
  });
  ({ port } = await proxy.listen("127.0.0.1", 0));
});
afterEach(async () => {
  await proxy.close();
  await new Promise((resolve) => server.close(resolve));
});

const exchange = (message: Buffer): Promise<Buffer> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const received: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => received.push(chunk));
    socket.on("error", () => {});
    socket.on("close", () => resolve(Buffer.concat(received)));
    socket.on("end", () => socket.end());
    socket.end(message);
  });

describe("createApiProxy", () => {
  it("passes bytes both ways, and the end of one direction before the other ends", async () => {
    const message = Buffer.alloc(3_000_000, "coracle");
    expect((await exchange(message)).equals(message)).toBe(true);
  });

  it("ends the pod's connection when the server cannot be reached", async () => {
    await new Promise((resolve) => server.close(resolve));
    expect(await exchange(Buffer.from("x"))).toHaveLength(0);
    server.listen(0);
  });

  it("ends its connections when it is closed", async () => {
    const socket = connect({ port, host: "127.0.0.1" });
    const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.on("error", () => {});
    socket.resume();
    await new Promise((resolve) => socket.once("connect", resolve));
    await proxy.close();
    await ended;
    proxy = createApiProxy({ serverUrl: "https://127.0.0.1:1", clock: systemClock, log: silentLog });
    await proxy.listen("127.0.0.1", 0);
  });
});
