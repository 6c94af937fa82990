/** What the process answers to its caller. Documented by `coracle help exit-codes`; scripts may rely on it. */
export const exitCodes = {
  ok: { code: 0, meaning: "it is done" },
  failure: { code: 1, meaning: "it failed for another reason: the server, the network, a file" },
  usage: { code: 2, meaning: "the command line or a value in it is wrong" },
  notFound: { code: 3, meaning: "what was named is not there" },
  notAuthorised: { code: 4, meaning: "no API key, one that is not valid, or one that lacks a scope" },
  conflict: { code: 5, meaning: "the name is taken, the resource is in use, or it was changed meanwhile" },
  timedOut: { code: 6, meaning: "what was waited for did not come about in time" },
} as const;

export type ExitReason = keyof typeof exitCodes;

/** A failure that the user can understand: one line on stderr and an exit code, never a stack. */
export class CliError extends Error {
  readonly reason: ExitReason;
  constructor(reason: ExitReason, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "CliError";
    this.reason = reason;
  }
}

export const isCliError = (error: unknown, reason?: ExitReason): error is CliError =>
  error instanceof CliError && (reason === undefined || error.reason === reason);
