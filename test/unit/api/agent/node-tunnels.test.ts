import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { createNodeTunnels, type TunnelSession } from "../../../../shared/api/agent/node-tunnels.ts";
import { createStreamBroker } from "../../../../shared/api/agent/stream-broker.ts";
import { silentLog } from "../../../../shared/telemetry/log.ts";
import { createFakeClock } from "../../controllers/fake-clock.ts";

const node = { pool: "p1", nodeName: "n1" };
const target = { kind: "node", cluster: "c1" } as const;

function fakeSession() {
  const idle: (() => void)[] = [];
  const close: (() => void)[] = [];
  const calls: string[] = [];
  const session: TunnelSession = {
    idle: true,
    async connect({ kind }) {
      calls.push(kind);
      return new PassThrough();
    },
    end: () => void calls.push("end"),
    close: () => void calls.push("close"),
    onIdle(listener) {
      idle.push(listener);
      listener();
    },
    onClose: (listener) => void close.push(listener),
  };
  return { session, calls, closed: () => close.map((listener) => listener()) };
}

function bed(options: { name?: string; url?: string } = {}) {
  const clock = createFakeClock();
  let ids = 0;
  const broker = createStreamBroker({ clock, newId: () => `id${++ids}` });
  const tunnels = createNodeTunnels({ broker, clock, log: silentLog, ...options });
  const take = async () => (await broker.take(node)).map(({ id, kind }) => [id, kind]);
  return { clock, broker, tunnels, take };
}

describe("tunnels of nodes", () => {
  it("are asked for once, however many wait, and serve those who come later without asking", async () => {
    const { tunnels, take } = bed();
    const waiting = [tunnels.connect(node, target), tunnels.connect(node, target)];
    expect(await take()).toEqual([["id1", "tunnel"]]);
    const { session, calls } = fakeSession();
    tunnels.accept(node, "id1", session);
    await Promise.all(waiting);
    await tunnels.connect(node, target);
    expect(calls).toEqual(["node", "node", "node"]);
    expect(await take()).toEqual([]);
  });

  it("are asked for with the address of a server that agents do not call", async () => {
    const { tunnels, broker } = bed({ url: "https://watch.example.com" });
    const waiting = tunnels.connect(node, target);
    expect(await broker.take(node)).toEqual([{ id: "id1", kind: "tunnel", url: "https://watch.example.com" }]);
    tunnels.accept(node, "id1", fakeSession().session);
    await waiting;
  });

  it("end when nobody used them for a minute, or with their node, and are asked for again", async () => {
    const { tunnels, take, clock } = bed();
    const first = tunnels.connect(node, target);
    await take();
    const one = fakeSession();
    tunnels.accept(node, "id1", one.session);
    await first;
    clock.advance(60_000);
    expect(one.calls).toEqual(["node", "end"]);
    const second = tunnels.connect(node, target);
    expect(await take()).toEqual([["id2", "tunnel"]]);
    const two = fakeSession();
    tunnels.accept(node, "id2", two.session);
    await second;
    two.closed();
    void tunnels.connect(node, target).catch(() => {});
    expect(await take()).toEqual([["id3", "tunnel"]]);
    clock.advance(60_000);
  });

  it("do not come from a node that is silent: whoever waits is told", async () => {
    const { tunnels, clock } = bed();
    const waiting = tunnels.connect(node, target);
    clock.advance(31_000);
    await expect(waiting).rejects.toMatchObject({ reason: "Timeout", message: "node n1 did not answer within 30 seconds" });
  });

  it("are for the process that asked, and those that name none for any", async () => {
    const { tunnels, broker } = bed({ name: "p1" });
    const waiting = tunnels.connect(node, target);
    expect(await broker.take(node)).toEqual([{ id: "id1", kind: "tunnel", process: "p1" }]);
    expect([tunnels.isOf("p1"), tunnels.isOf(undefined), tunnels.isOf("p2")]).toEqual([true, true, false]);
    tunnels.accept(node, "id1", fakeSession().session);
    await waiting;
  });

  it("that cannot be told of serve those who come later: a store that fails brings no process down", async () => {
    const { clock, broker } = bed();
    const told = Promise.withResolvers<string>();
    const tunnels = createNodeTunnels({
      broker: { open: broker.open, deliver: () => Promise.reject(new Error("the table is away")) },
      clock,
      log: { warn: (message) => told.resolve(message) },
    });
    const { session, calls } = fakeSession();
    tunnels.accept(node, "id1", session);
    expect(await told.promise).toBe("a tunnel could not be told of");
    await tunnels.connect(node, target);
    expect(calls).toEqual(["node"]);
  });

  it("that end as soon as they were told of are nobody's", async () => {
    const { tunnels, broker, take } = bed();
    const waiting = tunnels.connect(node, target);
    await take();
    await broker.deliver(node, "id1", new ReadableStream<Uint8Array>({ start: (controller) => controller.close() }));
    await expect(waiting).rejects.toMatchObject({ reason: "ServiceUnavailable" });
  });
});
