import { finished } from "node:stream/promises";
import type { ContainerStreams } from "../runtime.ts";
import type { CommandOptions, RunCommand, UpgradeRequest } from "./command-request.ts";
import { statusOfOutcome, textOfOutcome } from "./command-status.ts";
import { acceptSpdy } from "./spdy/accept.ts";
import type { SpdyStream } from "./spdy/connection.ts";
import { createTerminalSizes } from "./terminal-sizes.ts";

/** Versions of the protocol, the newest first; without a name: the first. Terminal sizes came with 3, statuses with 4. */
const protocols = ["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"];
/** How long a client may take to open its streams (kubelet `DefaultStreamCreationTimeout`). */
const streamsMs = 30_000;
const streamTypes = ["error", "stdin", "stdout", "stderr", "resize"] as const;
type StreamType = (typeof streamTypes)[number];

/** Serves `exec` or `attach` over SPDY/3.1: one stream for each of the container's, named by its `streamType`. */
export async function serveCommandOverSpdy(request: UpgradeRequest, options: CommandOptions, run: RunCommand): Promise<void> {
  const streams = new Map<StreamType, SpdyStream>();
  const complete = Promise.withResolvers<boolean>();
  let expected = Number.POSITIVE_INFINITY;
  const accepted = acceptSpdy(request, protocols, (stream) => {
    const type = streamTypes.find((each) => each === stream.headers.get("streamtype"));
    if (type === undefined || streams.has(type)) return "refused";
    streams.set(type, stream);
    if (streams.size === expected) complete.resolve(true);
    return undefined;
  });
  if (accepted === undefined) return;
  const { spdy, protocol } = accepted;
  const version = protocols.length - protocols.indexOf(protocol ?? "channel.k8s.io");
  const { stdin, stdout, stderr, tty } = options;
  expected = 1 + [stdin, stdout, stderr, tty && version >= 3].filter(Boolean).length;
  if (streams.size === expected) complete.resolve(true);
  const timer = setTimeout(() => complete.resolve(false), streamsMs);
  const gone = new AbortController();
  void spdy.ended.then(() => {
    gone.abort();
    complete.resolve(false);
  });
  const isComplete = await complete.promise;
  clearTimeout(timer);
  if (!isComplete) return spdy.close();
  const sizes = createTerminalSizes();
  streams.get("resize")?.on("data", (chunk: Buffer) => sizes.received(chunk));
  // The first version has no end of an input: it is over at once, as it ever was.
  if (version === 1) streams.get("stdin")?.destroy();
  const io: ContainerStreams = {
    stdin: stdin ? streams.get("stdin") : undefined,
    stdout: stdout ? streams.get("stdout") : undefined,
    stderr: stderr ? streams.get("stderr") : undefined,
    ...{ tty, onResize: sizes.onResize, gone: gone.signal },
  };
  const outcome = await run(io);
  const error = streams.get("error");
  error?.write(version >= 4 ? JSON.stringify(statusOfOutcome(outcome)) : textOfOutcome(outcome));
  const outputs = [error, io.stdout, io.stderr].filter((stream) => stream !== undefined);
  for (const stream of outputs) stream.end();
  await Promise.allSettled(outputs.map((stream) => finished(stream, { readable: false })));
  spdy.close();
}
