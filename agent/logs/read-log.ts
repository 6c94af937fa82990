import { type FileHandle, open, readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { LogOptions } from "../../shared/api/agent/protocol.ts";
import type { Clock } from "../../shared/clock.ts";
import { parseCriLine } from "./cri-line.ts";

export interface ReadLogOptions {
  /** The container's log; rotated parts lie beside it as `PATH.SUFFIX`, older ones sorting first. */
  readonly path: string;
  readonly options: LogOptions;
  readonly clock: Clock;
  /** While it answers true, a follower waits for more. */
  readonly isRunning: () => boolean;
}

const chunkBytes = 64 * 1024;
const newline = 0x0a;
const pollMs = 100;

/** A container's output as `kubectl logs` shows it. Cancelling the stream ends the reading. */
export function readLog(input: ReadLogOptions): ReadableStream<Uint8Array> {
  const controller = new AbortController();
  const lines = selectedLines(input, controller.signal);
  return new ReadableStream<Uint8Array>(
    {
      async pull(stream) {
        const { done, value } = await lines.next();
        if (done === true) stream.close();
        else stream.enqueue(value);
      },
      async cancel() {
        controller.abort();
        await lines.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

async function* selectedLines({ path, options, clock, isRunning }: ReadLogOptions, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  const since = sinceOf(options, clock.now());
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  const flush = (): Uint8Array => {
    const out = Buffer.concat(pending);
    pending = [];
    pendingBytes = 0;
    return out;
  };
  const wanted = options.stream === "Stdout" ? "stdout" : options.stream === "Stderr" ? "stderr" : undefined;
  for await (const raw of rawLines(path, options, clock, isRunning, signal)) {
    if (raw === "pause") {
      if (pendingBytes > 0) yield flush();
      continue;
    }
    const line = parseCriLine(raw);
    if (line === undefined || (since !== undefined && Date.parse(line.time) < since)) continue;
    if (wanted !== undefined && line.stream !== wanted) continue;
    let out = options.timestamps === true ? Buffer.concat([Buffer.from(`${line.time} `), line.text]) : line.text;
    if (!line.partial) out = Buffer.concat([out, Buffer.from("\n")]);
    if (out.length >= left) {
      pending.push(out.subarray(0, left));
      yield flush();
      return;
    }
    left -= out.length;
    pending.push(out);
    pendingBytes += out.length;
    if (pendingBytes >= chunkBytes) yield flush();
  }
  if (pendingBytes > 0) yield flush();
}

function sinceOf({ sinceSeconds, sinceTime }: LogOptions, nowMs: number): number | undefined {
  if (sinceTime !== undefined) return Date.parse(sinceTime);
  return sinceSeconds === undefined ? undefined : nowMs - sinceSeconds * 1000;
}

/** Raw lines, and `pause` whenever there is no more for the moment. */
async function* rawLines(
  path: string,
  { follow, tailLines }: LogOptions,
  clock: Clock,
  isRunning: () => boolean,
  signal: AbortSignal,
): AsyncGenerator<Buffer | "pause", void> {
  const parts = await logParts(path);
  let start = { part: 0, offset: 0 };
  if (tailLines !== undefined) start = await tailStart(parts, tailLines);
  for (const part of parts.slice(start.part, -1)) {
    yield* linesOf(await open(part), part === parts[start.part] ? start.offset : 0);
  }
  const last = parts.at(-1);
  if (last === undefined) return;
  let file = await open(last);
  let offset = start.part === parts.length - 1 ? start.offset : 0;
  try {
    for (;;) {
      const live = follow === true && isRunning();
      offset = yield* linesFrom(file, offset);
      yield "pause";
      if (!live || signal.aborted) return;
      const replaced = await open(path).catch(() => undefined);
      if (replaced !== undefined && (await replaced.stat()).ino !== (await file.stat()).ino) {
        offset = yield* linesFrom(file, offset);
        await file.close();
        file = replaced;
        offset = 0;
        continue;
      }
      await replaced?.close();
      await new Promise<void>((resolve) => clock.after(pollMs, resolve));
    }
  } finally {
    await file.close();
  }
}

/** The rotated parts, oldest first, and the current file. Empty when the container has not written yet. */
async function logParts(path: string): Promise<string[]> {
  const name = basename(path);
  const entries: string[] = await readdir(dirname(path)).catch(() => []);
  const rotated = entries.filter((entry) => entry.startsWith(`${name}.`)).sort();
  return [...rotated, ...(entries.includes(name) ? [name] : [])].map((entry) => join(dirname(path), entry));
}

async function* linesOf(file: FileHandle, offset: number): AsyncGenerator<Buffer, void> {
  try {
    yield* linesFrom(file, offset);
  } finally {
    await file.close();
  }
}

/** Whole lines from `offset` on; answers the offset behind the last one. */
async function* linesFrom(file: FileHandle, offset: number): AsyncGenerator<Buffer, number> {
  let rest = Buffer.alloc(0);
  let position = offset;
  for (;;) {
    const chunk = Buffer.alloc(chunkBytes);
    const { bytesRead } = await file.read(chunk, 0, chunkBytes, position + rest.length);
    if (bytesRead === 0) return position;
    const data = rest.length === 0 ? chunk.subarray(0, bytesRead) : Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
    let from = 0;
    for (let end = data.indexOf(newline, from); end >= 0; end = data.indexOf(newline, from)) {
      yield data.subarray(from, end);
      from = end + 1;
    }
    position += from;
    rest = data.subarray(from);
  }
}

/** Where the last `count` lines begin. */
async function tailStart(parts: readonly string[], count: number): Promise<{ part: number; offset: number }> {
  let missing = count;
  for (let part = parts.length - 1; part >= 0; part--) {
    const path = parts[part];
    if (path === undefined) break;
    const file = await open(path);
    try {
      const { size } = await file.stat();
      if (count === 0) return { part, offset: size };
      // The line end that closes the file's last line begins no line.
      for (let end = size - 1; end > 0; ) {
        const length = Math.min(chunkBytes, end);
        const chunk = Buffer.alloc(length);
        await file.read(chunk, 0, length, end - length);
        for (let at = chunk.lastIndexOf(newline); at >= 0; at = at === 0 ? -1 : chunk.lastIndexOf(newline, at - 1)) {
          missing--;
          if (missing === 0) return { part, offset: end - length + at + 1 };
        }
        end -= length;
      }
      if (size > 0) missing--;
      if (missing === 0) return { part, offset: 0 };
    } finally {
      await file.close();
    }
  }
  return { part: 0, offset: 0 };
}
