import type { Duplex } from "node:stream";
import { afterEach, describe, expect, it } from "vitest";
import { type AnswerConnect, serveTunnel } from "../../../../agent/streams/tunnel.ts";
import { systemClock } from "../../../../shared/clock.ts";
import { createTunnelSession } from "../../../../shared/host/http2-tunnel.ts";
import { connectionPair, textOf } from "./duplex-pair.ts";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

async function bed(answer: AnswerConnect) {
  const [serverSide, nodeSide] = await connectionPair();
  const tunnel = serveTunnel(nodeSide, answer);
  const session = createTunnelSession(serverSide, systemClock);
  ends.push(
    () => session.close(),
    () => tunnel.close(),
  );
  return { session, tunnel, serverSide, nodeSide };
}
const pod = (port: number) => ({ kind: "pod", cluster: "c1", podUid: "u1", port }) as const;
const closeOf = (stream: Duplex | undefined): Promise<void> => new Promise((resolve) => stream?.once("close", () => resolve()));
const echo: AnswerConnect = (_target, stream) => {
  const bytes = stream.accept();
  bytes.pipe(bytes);
};

describe("a tunnel", () => {
  it("carries many streams, each to its target, whole and with ends of their own", async () => {
    const asked: unknown[] = [];
    const { session } = await bed((target, stream) => {
      asked.push(target);
      echo(target, stream);
    });
    const texts = Array.from({ length: 12 }, (_, index) => `${index};`.repeat(100_000));
    const answers = await Promise.all(
      texts.map(async (text, index) => {
        const stream = await session.connect(pod(index + 1));
        stream.end(text);
        return textOf(stream);
      }),
    );
    expect(answers.every((answer, index) => answer === texts[index])).toBe(true);
    expect(asked).toHaveLength(12);
    expect(asked).toContainEqual(pod(7));
  });

  it("keeps letters and bytes of one moment as they were written", async () => {
    const { session } = await bed(echo);
    const stream = await session.connect(pod(1));
    stream.cork();
    stream.write("letters, ");
    stream.write(Buffer.from("bytes, "));
    stream.write("letters");
    stream.uncork();
    stream.end();
    expect(await textOf(stream)).toBe("letters, bytes, letters");
  });

  it("tells why the node does not connect", async () => {
    const { session } = await bed((_target, { refuse }) => refuse("dial tcp 10.0.0.1:80: connect: connection refused"));
    await expect(session.connect(pod(80))).rejects.toThrow("dial tcp 10.0.0.1:80: connect: connection refused");
  });

  it("lets a stream that nobody reads wait, while others go on", async () => {
    const bytes = Buffer.alloc(64 * 1024, 1);
    const sent = new Map<number, number>();
    const { session } = await bed((target, stream) => {
      const out = stream.accept();
      const key = target.kind === "pod" ? target.port : 0;
      const write = (): void => {
        while ((sent.get(key) ?? 0) < 8_000_000 && !out.destroyed) {
          sent.set(key, (sent.get(key) ?? 0) + bytes.length);
          if (!out.write(bytes)) return void out.once("drain", write);
        }
        out.end();
      };
      write();
    });
    const slow = await session.connect(pod(1));
    const quick = await session.connect(pod(2));
    expect((await textOf(quick)).length).toBeGreaterThanOrEqual(8_000_000);
    expect(sent.get(1)).toBeLessThan(2_000_000);
    expect((await textOf(slow)).length).toBe(sent.get(1));
  });

  it("tells each side when the other cuts a stream off, and leaves the rest alone", async () => {
    const streams: Duplex[] = [];
    const { session } = await bed((target, stream) => {
      if (target.kind === "pod" && target.port === 9) return echo(target, stream);
      streams.push(stream.accept());
    });
    const one = await session.connect(pod(1));
    const seen = closeOf(streams[0]);
    one.destroy();
    await seen;
    const two = await session.connect(pod(2));
    const told = closeOf(two);
    streams[1]?.destroy();
    await told;
    expect(two.readableEnded).toBe(false);
    const other = await session.connect(pod(9));
    other.end("still there");
    expect(await textOf(other)).toBe("still there");
  });

  it("that is lost ends its streams on both sides, and connects no more", async () => {
    const streams: Duplex[] = [];
    const { session, tunnel, serverSide } = await bed((_target, stream) => void streams.push(stream.accept()));
    const near = await session.connect(pod(1));
    const closed = new Promise<void>((resolve) => session.onClose(resolve));
    const nearClosed = closeOf(near);
    const farClosed = closeOf(streams[0]);
    serverSide.destroy();
    await Promise.all([closed, nearClosed, farClosed, tunnel.ended]);
    await expect(session.connect(pod(1))).rejects.toThrow("ended");
  });

  it("says when nothing uses it", async () => {
    const { session } = await bed(echo);
    let idle = 0;
    session.onIdle(() => idle++);
    const stream = await session.connect(pod(1));
    expect([session.idle, idle]).toEqual([false, 1]);
    stream.end();
    await textOf(stream);
    await expect.poll(() => [session.idle, idle]).toEqual([true, 2]);
  });
});
