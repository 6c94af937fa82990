import { duplexPair } from "node:stream";
import { describe, expect, it } from "vitest";
import { type ApiResponse, isUpgrade, type Sink } from "../../../shared/api/response.ts";
import { frameOf } from "../../../shared/api/websocket-frames.ts";
import { overWebSocket } from "../../../shared/api/websocket-watch.ts";

const asking = {
  upgrade: "websocket",
  connection: "keep-alive, Upgrade",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  "sec-websocket-version": "13",
  origin: "https://example.com",
};

function ask(headers: Record<string, string>, type = "application/json", upgradable = true) {
  let sink: Sink | undefined;
  let stopped = false;
  const body = {
    start: (given: Sink) => {
      sink = given;
      return () => {
        stopped = true;
      };
    },
  };
  const answer: ApiResponse = { status: 200, headers: { "content-type": type }, body };
  const request = {
    ...{ method: "GET", url: "/api/v1/pods?watch=1", upgradable },
    header: (name: string) => headers[name],
    headersFrom: () => [],
    body: () => Promise.resolve(Buffer.alloc(0)),
  };
  const given = overWebSocket(request, answer, body);
  const [client, server] = duplexPair();
  if (isUpgrade(given.body)) given.body.take(server);
  return { given, answer, client, sink: () => sink, stopped: () => stopped };
}

const received = async (client: NodeJS.ReadableStream): Promise<Buffer> => {
  await new Promise((resolve) => setImmediate(resolve));
  return (client.read() as unknown as Buffer | null) ?? Buffer.alloc(0);
};
/** As a client has to send it. */
function masked(opcode: number, payload: Buffer): Buffer {
  const mask = Buffer.from([1, 2, 3, 4]);
  const head = Buffer.from([0x80 | opcode, 0x80 | payload.length]);
  return Buffer.concat([head, mask, payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0))]);
}

describe("a watch by WebSocket", () => {
  it("is accepted as RFC 6455 has it, with the one protocol that is offered", () => {
    const { given } = ask({ ...asking, "sec-websocket-protocol": "binary.k8s.io, base64url.bearer.authorization.k8s.io.eA" });
    expect(given.status).toBe(101);
    expect(given.headers).toEqual({
      upgrade: "websocket",
      connection: "Upgrade",
      "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
      "sec-websocket-protocol": "binary.k8s.io",
    });
  });

  it.each([
    [{ origin: "" }, 403],
    [{ "sec-websocket-key": "" }, 400],
    [{ "sec-websocket-version": "8" }, 400],
    [{ "sec-websocket-protocol": "a, b" }, 400],
  ])("is refused with %j", (headers, status) => {
    expect(ask({ ...asking, ...headers }).given.status).toBe(status);
  });

  it("is a plain stream where nobody asked, or nobody can", () => {
    const plain = ask({});
    expect(plain.given).toBe(plain.answer);
    const unable = ask(asking, "application/json", false);
    expect(unable.given).toBe(unable.answer);
  });

  it("sends each event as a message", async () => {
    const { client, sink } = ask(asking);
    sink()?.write(Buffer.from('{"type":"ADDED"}\n{"type":"DELETED"}\n'));
    const events = ['{"type":"ADDED"}\n', '{"type":"DELETED"}\n'].map((text) => frameOf(1, Buffer.from(text)));
    expect(await received(client)).toEqual(Buffer.concat(events));
    const long = Buffer.from(`${JSON.stringify({ text: "x".repeat(70_000) })}\n`);
    sink()?.write(long);
    expect((await received(client)).subarray(0, 10)).toEqual(Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x7c]));
  });

  it("sends protocol buffers without the length before each", async () => {
    const { client, sink } = ask(asking, "application/vnd.kubernetes.protobuf;stream=watch");
    sink()?.write(Buffer.concat([Buffer.from([0, 0, 0, 2]), Buffer.from("ab"), Buffer.from([0, 0, 0, 1]), Buffer.from("c")]));
    expect(await received(client)).toEqual(Buffer.concat([frameOf(2, Buffer.from("ab")), frameOf(2, Buffer.from("c"))]));
  });

  it("answers pings, however they come, and passes over what else the client says", async () => {
    const { client } = ask(asking);
    const said = Buffer.concat([masked(1, Buffer.from("hello")), masked(9, Buffer.from("hi"))]);
    for (const byte of said) client.write(Buffer.from([byte]));
    expect(await received(client)).toEqual(frameOf(10, Buffer.from("hi")));
  });

  it("ends when the client closes, or sends what no client may", async () => {
    const polite = ask(asking);
    polite.client.write(masked(8, Buffer.from([3, 232])));
    expect(await received(polite.client)).toEqual(frameOf(8, Buffer.from([3, 232])));
    const rude = ask(asking);
    rude.client.on("error", () => {});
    rude.client.write(frameOf(1, Buffer.from("not masked")));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(rude.stopped()).toBe(true);
  });

  it("says that it ends", async () => {
    const { client, sink } = ask(asking);
    sink()?.end();
    expect(await received(client)).toEqual(frameOf(8, Buffer.from([3, 232])));
  });
});
