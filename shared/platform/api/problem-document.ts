import { z } from "zod";
import { isStoreError } from "../../store/store.ts";
import { isPlatformError, PlatformError, problems } from "../problem.ts";

/** RFC 9457 with `errors` as in its §3 example, a request id, and a `code` that programs may switch on. */
export const problemDocument = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string(),
  code: z.string(),
  requestId: z.string(),
  errors: z
    .array(z.object({ detail: z.string(), pointer: z.string().exactOptional(), parameter: z.string().exactOptional() }))
    .exactOptional(),
});
export type ProblemDocument = z.infer<typeof problemDocument>;

/** What the client may know of a failure. Anything that is not the platform's own is `internal` with a fixed text. */
export function toPlatformError(error: unknown): PlatformError {
  if (isPlatformError(error)) return error;
  if (isStoreError(error, "Throttled") || isStoreError(error, "Unavailable")) {
    return new PlatformError("unavailable", "The store cannot answer now: try again.", { retryAfterSeconds: 1 });
  }
  if (isStoreError(error, "DiskFull")) {
    return new PlatformError("unavailable", "The server's disk is full: nothing was written.", { retryAfterSeconds: 1 });
  }
  if (isStoreError(error, "RevisionConflict")) {
    return new PlatformError("unavailable", "Too many writers changed the resource at once: try again.", { retryAfterSeconds: 1 });
  }
  return new PlatformError("internal", "The server failed. Its log tells more under this request id.");
}

export function toDocument(error: PlatformError, instance: string, requestId: string): ProblemDocument {
  const { status, title } = problems[error.code];
  const errors = error.errors.map((field) => ({ ...field }));
  return {
    type: `urn:coracle:problem:${error.code}`,
    title,
    status,
    detail: error.message,
    instance,
    code: error.code,
    requestId,
    ...(errors.length > 0 && { errors }),
  };
}
