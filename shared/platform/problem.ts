/** Every way in which the platform API refuses, and its HTTP status and title (RFC 9457 §3.1). */
export const problems = {
  malformed: { status: 400, title: "The request cannot be read" },
  unauthenticated: { status: 401, title: "A valid API key is needed" },
  forbidden: { status: 403, title: "The API key lacks a scope" },
  "quota-exceeded": { status: 403, title: "A limit of the tenant is reached" },
  "not-found": { status: 404, title: "There is no such thing" },
  "method-not-allowed": { status: 405, title: "The path has no such method" },
  conflict: { status: 409, title: "The state of the resource forbids it" },
  "name-taken": { status: 409, title: "The name is taken" },
  "in-use": { status: 409, title: "The resource is in use" },
  "request-in-progress": { status: 409, title: "A request with this Idempotency-Key is under way" },
  "precondition-failed": { status: 412, title: "The resource has changed" },
  "too-large": { status: 413, title: "The body is too large" },
  "unsupported-media-type": { status: 415, title: "The body must be JSON" },
  invalid: { status: 422, title: "The request has invalid fields" },
  "idempotency-key-reused": { status: 422, title: "The Idempotency-Key was used for another request" },
  "rate-limited": { status: 429, title: "Too many requests" },
  internal: { status: 500, title: "Something went wrong on the server" },
  unavailable: { status: 503, title: "The service cannot answer now" },
} as const;

export type ProblemCode = keyof typeof problems;

/** What is wrong with one part of a request: a JSON pointer into the body as a URI fragment, or the name of a parameter. */
export interface FieldProblem {
  readonly detail: string;
  readonly pointer?: string;
  readonly parameter?: string;
}

/** The only error that the platform's services throw on purpose. The API's edge makes a problem document of it. */
export class PlatformError extends Error {
  readonly code: ProblemCode;
  readonly errors: readonly FieldProblem[];
  /** For `rate-limited` and `unavailable`. */
  readonly retryAfterSeconds: number | undefined;
  constructor(code: ProblemCode, detail: string, options: { errors?: readonly FieldProblem[]; retryAfterSeconds?: number } = {}) {
    super(detail);
    this.name = "PlatformError";
    this.code = code;
    this.errors = options.errors ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

export function isPlatformError(error: unknown, code?: ProblemCode): error is PlatformError {
  return error instanceof PlatformError && (code === undefined || error.code === code);
}
