import type { z } from "zod";
import type {
  apiKeyResource,
  clusterResource,
  createdApiKey,
  createdJoinToken,
  credentialsResource,
  joinTokenResource,
  nodeResource,
  poolResource,
  usageResource,
  whoamiResource,
} from "../shared/platform/resources.ts";
import type { Server } from "./configuration.ts";
import type { CliContext, Fetch } from "./context.ts";
import { CliError, type ExitReason } from "./exit-codes.ts";

export type ApiKey = z.output<typeof apiKeyResource>;
export type CreatedApiKey = z.output<typeof createdApiKey>;
export type Cluster = z.output<typeof clusterResource>;
export type Credentials = z.output<typeof credentialsResource>;
export type JoinToken = z.output<typeof joinTokenResource>;
export type CreatedJoinToken = z.output<typeof createdJoinToken>;
export type PoolNode = z.output<typeof nodeResource>;
export type Pool = z.output<typeof poolResource>;
export type Usage = z.output<typeof usageResource>;
export type Whoami = z.output<typeof whoamiResource>;

/** The platform API as the commands use it. Failures are `CliError`s with the problem in one line. */
export interface ApiClient {
  readonly server: Server;
  get<T>(path: string): Promise<T>;
  /** Every item of a list, page after page. */
  list<T>(path: string): Promise<T[]>;
  /** Repeated by itself after a lost answer, with one Idempotency-Key. */
  post<T>(path: string, body?: object): Promise<T>;
  patch<T>(path: string, body: object): Promise<T>;
  remove<T>(path: string): Promise<T>;
}

interface Problem {
  readonly code?: string;
  readonly title?: string;
  readonly detail?: string;
  readonly requestId?: string;
  readonly errors?: readonly { readonly pointer?: string; readonly parameter?: string; readonly detail?: string }[];
}

const reasons: Readonly<Record<number, ExitReason>> = {
  400: "usage",
  401: "notAuthorised",
  403: "notAuthorised",
  404: "notFound",
  409: "conflict",
  412: "conflict",
  422: "usage",
};
const requestTimeoutMs = 30_000;
const attempts = 3;
const retryMs = 300;

export async function createApiClient(context: CliContext, server: Server): Promise<ApiClient> {
  const fetch = await context.connect(server.ca);

  async function request<T>(method: string, path: string, body?: object): Promise<T> {
    const headers = {
      authorization: `Bearer ${server.apiKey}`,
      accept: "application/json",
      "user-agent": `coracle/${context.version}`,
      ...(body && { "content-type": "application/json" }),
      ...(method === "POST" && { "idempotency-key": context.uid() }),
    };
    const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
    for (let attempt = 1; ; attempt++) {
      const answer = await send(fetch, `${server.url}${path}`, init, context.interrupted).catch((error: unknown) => {
        if (attempt === attempts || context.interrupted.aborted) throw unreachable(server.url, error);
        return undefined;
      });
      const again = answer === undefined || answer.status === 429 || answer.status === 503 || isOwnAttempt(answer);
      if (answer && (!again || attempt === attempts)) return toResult<T>(answer);
      await new Promise<void>((resolve) => context.clock.after(retryMs * attempt, resolve));
    }
  }

  return {
    server,
    get: (path) => request("GET", path),
    async list<T>(path: string) {
      const items: T[] = [];
      const separator = path.includes("?") ? "&" : "?";
      let next = "";
      do {
        const page = await request<{ items: T[]; nextCursor: string | null }>("GET", `${path}${separator}limit=200${next}`);
        items.push(...page.items);
        next = page.nextCursor === null ? "" : `&cursor=${encodeURIComponent(page.nextCursor)}`;
      } while (next !== "");
      return items;
    },
    post: (path, body = {}) => request("POST", path, body),
    patch: (path, body) => request("PATCH", path, body),
    remove: (path) => request("DELETE", path),
  };
}

async function send(fetch: Fetch, url: string, init: Omit<Parameters<Fetch>[1], "signal">, interrupted: AbortSignal) {
  const signal = AbortSignal.any([interrupted, AbortSignal.timeout(requestTimeoutMs)]);
  const response = await fetch(url, { ...init, signal });
  return { status: response.status, text: await response.text() };
}

/** An attempt whose answer was lost is still being worked on. */
const isOwnAttempt = ({ status, text }: { status: number; text: string }): boolean =>
  status === 409 && problemOf(parseJson(text)).code === "request-in-progress";

const problemOf = (body: unknown): Problem => (typeof body === "object" && body !== null ? body : {});

function toResult<T>({ status, text }: { status: number; text: string }): T {
  const body: unknown = parseJson(text);
  if (status >= 200 && status < 300) return body as T;
  throw new CliError(reasons[status] ?? "failure", describe(status, body));
}

/** A problem document in one line: what is wrong, where, and for failures of the server the id under which its log tells more. */
function describe(status: number, body: unknown): string {
  const problem = problemOf(body);
  const fields = (problem.errors ?? []).map(({ pointer, parameter, detail }) => `${pointer?.replace(/^#\/?/, "") || parameter}: ${detail}`);
  const text = fields.length > 0 ? fields.join("; ") : (problem.detail ?? problem.title ?? `the server answered ${status}`);
  return status >= 500 && problem.requestId ? `${text} (request ${problem.requestId})` : text;
}

function unreachable(url: string, error: unknown): CliError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const text = cause instanceof Error ? cause.message || cause.name : String(cause);
  return new CliError("failure", `${url} cannot be reached: ${text}`, error);
}

function parseJson(text: string): unknown {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
