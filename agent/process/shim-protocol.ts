import { z } from "zod";

/** One JSON document a line over a Unix socket, between the agent and its node's supervisor. */
export const shimSocket = "shim.sock";

export const shimRequest = z.discriminatedUnion("kind", [
  z.object({
    id: z.number(),
    kind: z.literal("start"),
    containerId: z.string(),
    /** The container's own directory: `started.json` and `exit.json` are written there. */
    directory: z.string(),
    file: z.string(),
    args: z.array(z.string()),
    environment: z.record(z.string(), z.string()),
    workingDirectory: z.string(),
    logPath: z.string(),
    /** Whether the process has an input that others may write to (`stdin` in its directory), and whether it ends with the first of them. */
    stdin: z.enum(["none", "kept", "once"]).default("none"),
    /** `file` holds a terminal, and its child on that is the container's process. */
    terminal: z.boolean().default(false),
  }),
  z.object({ id: z.number(), kind: z.literal("signal"), containerId: z.string(), signal: z.enum(["SIGTERM", "SIGKILL"]) }),
  /** Of `neverStart`, what is not listed will not be started any more, whoever asked for it. */
  z.object({ id: z.number(), kind: z.literal("list"), neverStart: z.array(z.string()).exactOptional() }),
  /** From the answer on, the connection tells what the container writes, until it ends. */
  z.object({ id: z.number(), kind: z.literal("attach"), containerId: z.string() }),
  /** Somebody who was attached has nothing more to say. */
  z.object({ id: z.number(), kind: z.literal("inputEnded"), containerId: z.string() }),
]);
export type ShimRequest = z.input<typeof shimRequest>;

export const shimMessage = z.union([
  z.object({ id: z.number(), ok: z.literal(true), containerIds: z.array(z.string()).exactOptional() }),
  z.object({ id: z.number(), ok: z.literal(false), error: z.string() }),
  z.object({ event: z.literal("exited"), containerId: z.string() }),
  z.object({ event: z.literal("output"), stream: z.enum(["stdout", "stderr"]), base64: z.string() }),
]);
export type ShimMessage = z.infer<typeof shimMessage>;

/** `started.json`. */
export const startRecord = z.object({
  /** Of the container's own process. */
  pid: z.number().int(),
  startedAtMs: z.number(),
  /** Field 22 of /proc/PID/stat: with the pid it names a process for good. Empty where there is no /proc. */
  startTicks: z.string(),
});
export type StartRecord = z.infer<typeof startRecord>;

/** `exit.json`. */
export const exitRecord = z.object({
  startedAtMs: z.number(),
  finishedAtMs: z.number(),
  exitCode: z.number().int(),
  signal: z.number().int(),
  reason: z.string(),
});
export type ExitRecord = z.infer<typeof exitRecord>;

/** Calls `onLine` for each line of a chunked text. */
export function lineSplitter(onLine: (line: string) => void): (chunk: string) => void {
  let rest = "";
  return (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") onLine(line);
  };
}
