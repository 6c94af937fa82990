import { describe, expect, it } from "vitest";
import type { PodLogRequest, PodStreams } from "../../../shared/api/pod-streams.ts";
import { createPolledLogs } from "../../../shared/host/polled-logs.ts";
import type { Pod } from "../../../shared/kubernetes/types.ts";
import { Mirror } from "../../../shared/store/mirror.ts";
import { LazyObject } from "../../../shared/store/stored-entry.ts";

const metadata = { namespace: "default", name: "web", uid: "u1" };
const request = (more: Partial<PodLogRequest> = {}): PodLogRequest => ({
  pod: { apiVersion: "v1", kind: "Pod", metadata },
  ...{ container: "main", follow: true, previous: false, timestamps: false },
  ...{ sinceSeconds: undefined, sinceTime: undefined, tailLines: undefined, limitBytes: undefined },
  ...more,
});
const clock = {
  now: () => 0,
  after(_: number, run: () => void) {
    setImmediate(run);
    return () => {};
  },
};

/** A node that shows one of these texts a look, and whose container has ended at the last. */
function nodeWith(looks: readonly string[], maxBytes = 1000) {
  const asked: PodLogRequest[] = [];
  const streams: PodStreams = {
    async log(each) {
      asked.push(each);
      return new Response(looks[Math.min(asked.length, looks.length) - 1]).body ?? new ReadableStream();
    },
  };
  const view = () => {
    const state = asked.length >= looks.length ? { terminated: { exitCode: 0 } } : { running: {} };
    const pod = { kind: "Pod", apiVersion: "v1", metadata, status: { containerStatuses: [{ name: "main", state }] } } as unknown as Pod;
    return Mirror.holding(1, [new LazyObject({ group: "", resource: "pods", namespace: "default", name: "web" }, 1, Buffer.alloc(0), pod)]);
  };
  return { asked, logs: createPolledLogs(streams, view, clock, maxBytes) };
}

const first = "2026-01-01T00:00:00.1000001Z a\n2026-01-01T00:00:00.1000002Z b\n";

describe("a log that is followed by looking again", () => {
  it("says each line once, however much of the last look the node shows again, until the container has ended", async () => {
    const { asked, logs } = nodeWith([
      first,
      first,
      `${first}2026-01-01T00:00:00.1000002Z b\n2026-01-01T00:00:01Z c\n`,
      "2026-01-01T00:00:01Z c\n",
    ]);
    expect(await new Response(await logs.log(request())).text()).toBe("a\nb\nb\nc\n");
    expect(asked[0]).toMatchObject({ follow: false, timestamps: true });
    expect(asked[1]).toMatchObject({ sinceTime: "2026-01-01T00:00:00.1000002Z", tailLines: undefined });
    expect(asked.at(-1)).toMatchObject({ sinceTime: "2026-01-01T00:00:01Z" });
  });

  it("shows times where they were asked for, and stops at a limit of bytes", async () => {
    const { logs } = nodeWith([first, first]);
    expect(await new Response(await logs.log(request({ timestamps: true, limitBytes: 10 }))).text()).toBe("2026-01-01");
  });

  it("is limited by what it says, not by the times that lines carry on the way", async () => {
    const { asked, logs } = nodeWith([first, first]);
    expect(await new Response(await logs.log(request({ limitBytes: 3 }))).text()).toBe("a\nb");
    expect(asked[0]).toMatchObject({ limitBytes: 1000 });
  });

  it("says a line whole that did not find room in an answer", async () => {
    const all = `${first}2026-01-01T00:00:01Z long\n`;
    const maxBytes = all.length - 3;
    const { logs } = nodeWith([all.slice(0, maxBytes), all.slice(first.length)], maxBytes);
    expect(await new Response(await logs.log(request())).text()).toBe("a\nb\nlong\n");
  });

  it("that is not followed is one look, of what one answer may hold", async () => {
    const { asked, logs } = nodeWith(["whole"]);
    expect(await new Response(await logs.log(request({ follow: false }))).text()).toBe("whole");
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ limitBytes: 1000, timestamps: false });
  });
});
