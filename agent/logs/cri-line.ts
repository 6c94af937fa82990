/** One entry of a CRI log: `2026-01-01T00:00:00.000000000Z stdout F text`. A partial entry (`P`) is continued by the next. */
export interface CriLine {
  /** RFC 3339 with nanoseconds, as written. */
  readonly time: string;
  readonly stream: "stdout" | "stderr";
  readonly partial: boolean;
  readonly text: Buffer;
}

const space = 0x20;

/** Reads an entry without its line end; `undefined` when it is none. */
export function parseCriLine(line: Buffer): CriLine | undefined {
  const first = line.indexOf(space);
  const second = line.indexOf(space, first + 1);
  if (first < 0 || second < 0) return undefined;
  const end = line.indexOf(space, second + 1);
  const third = end < 0 ? line.length : end;
  const stream = line.toString("latin1", first + 1, second);
  if (stream !== "stdout" && stream !== "stderr") return undefined;
  const tags = line.toString("latin1", second + 1, third).split(":");
  return { time: line.toString("latin1", 0, first), stream, partial: tags[0] === "P", text: line.subarray(third + 1) };
}

/** What stands before an entry's text. */
export function criLineHead(time: string, stream: "stdout" | "stderr", partial: boolean): Buffer {
  return Buffer.from(`${time} ${stream} ${partial ? "P" : "F"} `, "latin1");
}
