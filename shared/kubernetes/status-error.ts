/** The `reason`s of a Kubernetes `Status` (apimachinery `StatusReason`) that this server answers with, and their HTTP codes. */
export const statusCodes = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;

export type StatusReason = keyof typeof statusCodes;

export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

/** A failure in the cluster API's own form. Thrown by everything behind the cluster API; its edge turns it into a `Status` body. */
export class StatusError extends Error {
  readonly reason: StatusReason;
  readonly code: number;
  readonly details: StatusDetails | undefined;
  constructor(reason: StatusReason, message: string, details?: StatusDetails, code: number = statusCodes[reason]) {
    super(message);
    this.name = "StatusError";
    this.reason = reason;
    this.code = code;
    this.details = details;
  }
}

/** One that kube-apiserver has no reason for: what is no `Status` there leaves it as a 500 with the text alone. */
export class UnexplainedError extends StatusError {
  constructor(message: string) {
    super("InternalError", message);
  }
}

export function isStatus(error: unknown, reason?: StatusReason): error is StatusError {
  return error instanceof StatusError && (reason === undefined || error.reason === reason);
}
