import { Socket } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type ContainerStreams, RuntimeError } from "../runtime.ts";
import { openWriter } from "./named-pipe.ts";
import type { ShimClient } from "./shim-client.ts";
import { terminalSizer } from "./terminal.ts";

export interface AttachRequest {
  readonly shim: ShimClient;
  readonly containerId: string;
  /** The container's process. */
  readonly pid: number | undefined;
  /** Where the container's input is, if it has one. */
  readonly directory: string;
}

/** The output of a container's process from now on, and its input where it was given one. Resolves when it has ended or nobody is there. */
export async function attachStreams({ shim, containerId, pid, directory }: AttachRequest, io: ContainerStreams): Promise<void> {
  const finished = Promise.withResolvers<void>();
  let detach = (): void => {};
  try {
    detach = await shim.attach(containerId, {
      output(stream, bytes) {
        const receiver = stream === "stdout" || io.tty ? io.stdout : io.stderr;
        return receiver?.write(bytes) ?? true;
      },
      drained: (resume) => {
        for (const receiver of [io.stdout, io.stderr]) receiver?.once("drain", resume);
      },
      ended: () => finished.resolve(),
    });
  } catch (error) {
    throw new RuntimeError("AttachError", error instanceof Error ? error.message : String(error), error);
  }
  io.gone.addEventListener("abort", () => finished.resolve());
  if (io.gone.aborted) finished.resolve();
  if (io.tty) io.onResize(terminalSizer(() => pid));
  if (io.stdin) void feed(io.stdin, join(directory, "stdin"), io.gone, () => shim.call({ kind: "inputEnded", containerId }));
  await finished.promise;
  detach();
}

async function feed(
  source: NonNullable<ContainerStreams["stdin"]>,
  path: string,
  gone: AbortSignal,
  onEnd: () => Promise<unknown>,
): Promise<void> {
  let fd: number;
  try {
    fd = openWriter(path);
  } catch {
    // A container without `stdin` reads nothing.
    source.resume();
    return;
  }
  try {
    await pipeline(source, new Socket({ fd, readable: false, writable: true }), { signal: gone });
  } catch {
    source.resume();
  }
  await onEnd().catch(() => {});
}
