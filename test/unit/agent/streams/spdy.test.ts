import { constants, createDeflate } from "node:zlib";
import { describe, expect, it } from "vitest";
import { createSpdyConnection, type SpdyConnection, type SpdyStream } from "../../../../agent/streams/spdy/connection.ts";
import { dataFrame, FrameReader, openFrame, pingFrame } from "../../../../agent/streams/spdy/frames.ts";
import { createHeaderReader, createHeaderWriter } from "../../../../agent/streams/spdy/header-block.ts";
import { connectionPair, textOf } from "./duplex-pair.ts";

async function bed(onStream: (stream: SpdyStream) => "refused" | undefined = () => undefined) {
  const [near, far] = await connectionPair();
  const opened: SpdyStream[] = [];
  const server = createSpdyConnection(far, {
    role: "server",
    onStream(stream) {
      opened.push(stream);
      return onStream(stream);
    },
  });
  const client: SpdyConnection = createSpdyConnection(near, { role: "client" });
  return { client, server, opened, near, far };
}

describe("SPDY/3.1", () => {
  it("opens streams by their headers, and carries bytes both ways with an end of its own each", async () => {
    const { client, opened } = await bed();
    const stream = await client.open({ streamType: "data", port: "80" });
    const [other] = opened;
    expect([other?.headers.get("streamtype"), other?.headers.get("port"), other?.streamId]).toEqual(["data", "80", 1]);
    stream.end("to the server");
    expect(await textOf(other as SpdyStream)).toBe("to the server");
    other?.end("and back, after the end of the other direction");
    expect(await textOf(stream)).toBe("and back, after the end of the other direction");
    client.close();
  });

  it("keeps many streams apart, and what is longer than a frame whole", async () => {
    const { client } = await bed((stream) => {
      stream.pipe(stream);
      return undefined;
    });
    const texts = Array.from({ length: 20 }, (_, index) => `${index} `.repeat(20_000));
    const answers = await Promise.all(
      texts.map(async (text) => {
        const stream = await client.open({ streamtype: "data" });
        stream.end(text);
        return textOf(stream);
      }),
    );
    expect(answers.every((answer, index) => answer === texts[index])).toBe(true);
    client.close();
  });

  it("tells a refusal and a reset to the other side", async () => {
    const { client, opened } = await bed((stream) => (stream.headers.get("streamtype") === "bad" ? "refused" : undefined));
    await expect(client.open({ streamtype: "bad" })).rejects.toThrow("reset");
    const stream = await client.open({ streamtype: "good" });
    const closed = new Promise<void>((resolve) => stream.once("close", () => resolve()));
    opened.at(-1)?.reset();
    await closed;
    expect(stream.readableEnded).toBe(false);
    client.close();
  });

  it("still gives what came before the connection was lost, and ends then", async () => {
    const { client, opened, far } = await bed();
    const stream = await client.open({ streamtype: "data" });
    opened[0]?.write("last words");
    await new Promise((resolve) => setTimeout(resolve, 20));
    far.destroy();
    await client.ended;
    expect(await textOf(stream)).toBe("last words");
    await expect(client.open({ streamtype: "data" })).rejects.toThrow("ended");
  });

  it("holds no more than its bound for a stream that nobody reads, and goes on when somebody does", async () => {
    const { client, opened } = await bed();
    const stream = await client.open({ streamtype: "data" });
    const other = opened[0] as SpdyStream;
    const total = 16 * 1024 * 1024;
    let sent = 0;
    const write = (): void => {
      while (sent < total) {
        sent += 64 * 1024;
        if (!stream.write(Buffer.alloc(64 * 1024, 1))) return void stream.once("drain", write);
      }
      stream.end();
    };
    write();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(other.readableLength).toBeLessThan(512 * 1024);
    expect(sent).toBeLessThan(total);
    let received = 0;
    for await (const chunk of other) received += (chunk as Buffer).length;
    expect(received).toBe(total);
    client.close();
  });

  it("answers the other side's pings, and no answers", async () => {
    const [near, far] = await connectionPair();
    createSpdyConnection(far, { role: "server" });
    near.write(Buffer.concat([pingFrame(1), pingFrame(2), pingFrame(3)]));
    const frames: unknown[] = [];
    const reader = new FrameReader();
    for await (const chunk of near) {
      frames.push(...reader.read(chunk));
      if (frames.length === 2) break;
    }
    expect(frames).toEqual([
      { type: "ping", id: 1 },
      { type: "ping", id: 3 },
    ]);
    near.destroy();
  });

  it("ends a connection that speaks something else, or too much", async () => {
    const tooLong = Buffer.from("80030001007fffff", "hex");
    for (const bytes of [Buffer.from("80020001000000ff", "hex"), tooLong, openFrame(1, Buffer.from("no zlib"))]) {
      const [near, far] = await connectionPair();
      const { ended } = createSpdyConnection(far, { role: "server", onStream: () => undefined });
      near.write(bytes);
      await ended;
      near.destroy();
    }
  });

  it("refuses streams with numbers of its own, or that go back", async () => {
    const [near, far] = await connectionPair();
    const opened: number[] = [];
    createSpdyConnection(far, { role: "server", onStream: ({ streamId }) => void opened.push(streamId) });
    const write = createHeaderWriter();
    near.write(Buffer.concat([2, 5, 3, 5].map((id) => openFrame(id, write({ a: "b" })))));
    const reader = new FrameReader();
    const kinds: string[] = [];
    for await (const chunk of near) {
      for (const frame of reader.read(chunk)) kinds.push(`${frame.type} ${"streamId" in frame ? frame.streamId : ""}`);
      if (kinds.length === 4) break;
    }
    expect(opened).toEqual([5]);
    expect(kinds).toEqual(["reset 2", "reply 5", "reset 3", "reset 5"]);
    near.destroy();
  });

  it("takes data frames apart wherever they are cut", () => {
    const bytes = Buffer.concat([dataFrame(1, Buffer.from("hello"), false), dataFrame(1, Buffer.alloc(0), true)]);
    const reader = new FrameReader();
    const frames = [...bytes].flatMap((byte) => [...reader.read(Buffer.from([byte]))]);
    expect(frames.map((frame) => (frame.type === "data" ? frame.bytes.toString() : "")).join("")).toBe("hello");
    expect(frames.at(-1)).toMatchObject({ type: "data", end: true });
  });
});

describe("blocks of headers", () => {
  it("are read as they were written, block after block", async () => {
    const [write, { read }] = [createHeaderWriter(), createHeaderReader()];
    for (const headers of [{ streamtype: "error", port: "8080" }, {}, { long: "x".repeat(40_000) }])
      expect(Object.fromEntries(await read(write(headers)))).toEqual(headers);
  });

  it("are read when they were compressed, and unpacked by zlib with the dictionary of SPDY/3", async () => {
    // What follows the head of a first block of ours: the dictionary's name, which zlib checks.
    const first = createHeaderWriter()({ streamtype: "data" });
    expect(first.subarray(0, 6).toString("hex")).toBe("783fe3c6a7c2");
    const names = Buffer.from("00000001000000046e616d650000000576616c7565", "hex");
    const { read } = createHeaderReader();
    // A stream without a preset dictionary is one, too: the reader only has it at hand.
    const deflate = createDeflate({ flush: constants.Z_SYNC_FLUSH });
    const pieces: Buffer[] = [];
    deflate.on("data", (piece: Buffer) => pieces.push(piece));
    await new Promise<void>((resolve) => deflate.write(names, () => resolve()));
    await new Promise((resolve) => setImmediate(resolve));
    const packed = Buffer.concat(pieces);
    expect(Object.fromEntries(await read(packed))).toEqual({ name: "value" });
  });

  it("that are larger than they may be are refused, however small they come", async () => {
    const deflate = createDeflate({ flush: constants.Z_SYNC_FLUSH });
    const pieces: Buffer[] = [];
    deflate.on("data", (piece: Buffer) => pieces.push(piece));
    await new Promise<void>((resolve) => deflate.write(Buffer.alloc(50_000_000), () => resolve()));
    await new Promise((resolve) => setImmediate(resolve));
    const bomb = Buffer.concat(pieces);
    expect(bomb.length).toBeLessThan(64 * 1024);
    await expect(createHeaderReader().read(bomb)).rejects.toThrow("too large");
  });
});
