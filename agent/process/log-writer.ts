import { appendFileSync, readdirSync, renameSync, statSync, unlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { criLineHead } from "../logs/cri-line.ts";

/** kubelet's containerLogMaxSize and containerLogMaxFiles. */
const maximumBytes = 10 * 1024 * 1024;
const maximumFiles = 5;
/** Longer lines are written in parts, as containerd does. */
const maximumLine = 16 * 1024;
const newline = 0x0a;
const lineEnd = Buffer.from("\n");

export interface LogWriter {
  write(stream: "stdout" | "stderr", chunk: Buffer): void;
  /** Writes what waits for its line end. */
  end(): void;
}

/** Writes a container's output in CRI format and rotates the file. `now` gives milliseconds since 1970. */
export function createLogWriter(path: string, now: () => number): LogWriter {
  appendFileSync(path, "");
  let size = statSync(path).size;
  let lastMs = 0;
  let within = 0;
  let second = "";
  const rest = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };

  /** Distinct and growing, so that lines of one millisecond keep their order. */
  const time = (): string => {
    const nowMs = Math.floor(now());
    if (nowMs > lastMs) {
      lastMs = nowMs;
      within = 0;
      second = new Date(nowMs).toISOString().slice(0, 19);
    } else if (++within === 1_000_000) {
      lastMs++;
      within = 0;
      second = new Date(lastMs).toISOString().slice(0, 19);
    }
    return `${second}.${String((lastMs % 1000) * 1_000_000 + within).padStart(9, "0")}Z`;
  };
  const rotate = (): void => {
    renameSync(path, `${path}.${time().replaceAll(/[-:.]/g, "")}`);
    appendFileSync(path, "");
    size = 0;
    const old = readdirSync(dirname(path)).filter((entry) => entry.startsWith(`${basename(path)}.`));
    for (const entry of old.sort().slice(0, -(maximumFiles - 1))) unlinkSync(join(dirname(path), entry));
  };
  const append = (parts: readonly Buffer[]): void => {
    if (parts.length === 0) return;
    const data = Buffer.concat(parts);
    appendFileSync(path, data);
    size += data.length;
    if (size >= maximumBytes) rotate();
  };

  return {
    write(stream, chunk) {
      const data = rest[stream].length === 0 ? chunk : Buffer.concat([rest[stream], chunk]);
      const parts: Buffer[] = [];
      let from = 0;
      for (;;) {
        const end = data.indexOf(newline, from);
        if (end < 0 && data.length - from < maximumLine) break;
        const partial = end < 0 || end - from > maximumLine;
        const until = partial ? from + maximumLine : end;
        parts.push(criLineHead(time(), stream, partial), data.subarray(from, until), lineEnd);
        from = partial ? until : until + 1;
      }
      rest[stream] = Buffer.from(data.subarray(from));
      append(parts);
    },
    end() {
      for (const stream of ["stdout", "stderr"] as const) {
        if (rest[stream].length > 0) append([criLineHead(time(), stream, false), rest[stream], lineEnd]);
        rest[stream] = Buffer.alloc(0);
      }
    },
  };
}
