type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Structured logging: a constant message and fields. Never pass a token, a key or a Secret's content. */
export interface Log {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  /** `cause` is logged with its stack; it never reaches a client. */
  error(message: string, cause: unknown, fields?: Fields): void;
  /** A log that adds these fields to every line. */
  with(fields: Fields): Log;
}

const levels = { debug: 10, info: 20, warn: 30, error: 40 } as const;
export type LogLevel = keyof typeof levels;

/** One JSON object a line through `write`. `now` gives milliseconds since 1970. */
export function createJsonLog(write: (line: string) => void, now: () => number, level: LogLevel = "info", bound: Fields = {}): Log {
  const emit = (at: LogLevel, message: string, fields: Fields = {}): void => {
    if (levels[at] < levels[level]) return;
    write(`${JSON.stringify({ time: new Date(now()).toISOString(), level: at, message, ...bound, ...fields })}\n`);
  };
  return {
    debug: (message, fields) => emit("debug", message, fields),
    info: (message, fields) => emit("info", message, fields),
    warn: (message, fields) => emit("warn", message, fields),
    error: (message, cause, fields) =>
      emit("error", message, { ...fields, cause: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) }),
    with: (fields) => createJsonLog(write, now, level, { ...bound, ...fields }),
  };
}

/** Drops everything: for tests. */
export const silentLog: Log = createJsonLog(
  () => {},
  () => 0,
  "error",
);
