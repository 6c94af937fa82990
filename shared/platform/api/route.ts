import { z } from "zod";
import type { ApiKeyScope } from "../../auth/api-key.ts";
import { type FieldProblem, PlatformError, type ProblemCode } from "../problem.ts";
import type { ApiKeyRecord } from "../records.ts";
import type { ExpectedVersion } from "../version.ts";

/** Whose request it is. */
export interface Caller {
  /** The key's own, or the one an operator names with `Coracle-Tenant`. */
  readonly tenant: string;
  readonly key: ApiKeyRecord;
}

export interface Answer<T> {
  readonly body: T;
  /** The version of what is shown, as `ETag`. */
  readonly version?: number;
  /** Path of what was made. */
  readonly location?: string;
}

export interface RouteInput<P, Q, B> {
  readonly caller: Caller;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** From `If-Match`. */
  readonly expected: ExpectedVersion;
}

export interface RouteSpec<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType> {
  readonly method: "get" | "post" | "patch" | "delete";
  /** With parameters in braces, as OpenAPI writes them. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  /** What the key must be allowed; `any`: just to be a key. */
  readonly scope: ApiKeyScope | "any";
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly status: 200 | 201 | 202 | 204;
  readonly response: R;
  /** Refusals of its own, beside those that every route has. */
  readonly problems?: readonly ProblemCode[];
  /** It honours `If-Match`. */
  readonly conditional?: boolean;
  handle(input: RouteInput<z.output<P>, z.output<Q>, z.output<B>>): Promise<Answer<z.input<R>>>;
}

/** A route with its types settled: what the application serves and the OpenAPI document describes. */
export interface Route {
  readonly spec: Omit<RouteSpec<z.ZodType, z.ZodType, z.ZodType, z.ZodType>, "handle">;
  run(caller: Caller, raw: { params: unknown; query: unknown; body: unknown; expected: ExpectedVersion }): Promise<Answer<unknown>>;
}

/** What a route has that takes nothing but its path. */
export const nothing = { params: z.strictObject({}), query: z.strictObject({}), body: z.undefined() };

export function defineRoute<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType>(
  spec: RouteSpec<P, Q, B, R>,
): Route {
  return {
    spec,
    async run(caller, raw) {
      const params = spec.params.safeParse(raw.params);
      // An id that cannot be one is an id that is not there.
      if (!params.success) throw new PlatformError("not-found", "There is nothing at this path.");
      const query = spec.query.safeParse(raw.query);
      if (!query.success) throw invalid(query.error, "query");
      const body = spec.body.safeParse(raw.body);
      if (!body.success) throw invalid(body.error, "body");
      return spec.handle({ caller, params: params.data, query: query.data, body: body.data, expected: raw.expected });
    },
  };
}

function invalid(error: z.ZodError, where: "query" | "body"): PlatformError {
  const errors = error.issues.flatMap((issue): FieldProblem[] => {
    const paths = issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
    const [ofKey] = issue.code === "invalid_key" ? issue.issues : [];
    const detail = issue.code === "unrecognized_keys" ? "unknown field" : (ofKey?.message ?? issue.message);
    return paths.map((path) => (where === "query" ? { parameter: path.join("."), detail } : { pointer: pointerOf(path), detail }));
  });
  const [first] = errors;
  const subject = first?.parameter ?? first?.pointer;
  return new PlatformError("invalid", first ? `${subject}: ${first.detail}` : "The request is invalid.", { errors });
}

/** RFC 6901 §6: a JSON pointer as a URI fragment. */
function pointerOf(path: readonly PropertyKey[]): string {
  return `#${path.map((part) => `/${encodeURIComponent(String(part).replaceAll("~", "~0").replaceAll("/", "~1"))}`).join("")}`;
}

const pageLimit = z.coerce.number().int().min(1).max(200).default(50).meta({ description: "Items a page." });
const cursor = z.string().max(1024).exactOptional().meta({ description: "`nextCursor` of the page before." });

/** The query of every list. */
export const pageQuery = z.strictObject({ limit: pageLimit, cursor });

export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable().meta({ description: "Null on the last page." }) });
