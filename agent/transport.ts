import type { Duplex } from "node:stream";
import type { z } from "zod";
import {
  agentPaths,
  type CertificateResponse,
  certificateResponse,
  type JoinRequest,
  type JoinResponse,
  joinResponse,
  type Problem,
  problem as problemSchema,
  type SyncRequestInput,
  type SyncResponse,
  syncBatchResponse,
  syncResponse,
  type TunnelRequest,
  tunnelProcessHeader,
  tunnelProtocol,
} from "../shared/api/agent/protocol.ts";

/** The server could not be reached, or refused: `status` is the HTTP status then. */
export class TransportError extends Error {
  readonly status: number | undefined;
  constructor(message: string, status?: number, cause?: unknown) {
    super(message, { cause });
    this.name = "TransportError";
    this.status = status;
  }
}

/** One node's calls to the server. Every failure is a `TransportError`. */
export interface AgentTransport {
  sync(request: SyncRequestInput): Promise<SyncResponse>;
  /** Resolves when the server has taken the whole body, or nobody wants it any more. */
  answerStream(id: string, body: ReadableStream<Uint8Array>): Promise<void>;
  refuseStream(id: string, problem: Problem): Promise<void>;
  /** The connection of the tunnel that was asked for, its upgrade answered. */
  openTunnel(id: string, asked: Pick<TunnelRequest, "url" | "process">): Promise<Duplex>;
}

export interface PostInit {
  readonly method: "POST";
  readonly headers: Record<string, string>;
  readonly body: string | ReadableStream<Uint8Array>;
  readonly signal?: AbortSignal;
  readonly duplex?: "half";
}

export interface PostAnswer {
  readonly status: number;
  text(): Promise<string>;
}

/** What the agent needs of `fetch`: its HTTP client (`http-client.ts`), or an application's own in a test. */
export type Fetch = (url: string, init: PostInit) => Promise<PostAnswer>;

/** The server answered otherwise than by changing the protocol. */
export class UpgradeRefused extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`HTTP ${status}`);
    this.name = "UpgradeRefused";
    this.status = status;
  }
}

/** Opens a connection of its own that goes on in another protocol. @throws UpgradeRefused */
export type Upgrade = (url: string, headers: Record<string, string>, protocol: string) => Promise<Duplex>;

export interface HttpTransportOptions {
  /** Without a path. */
  readonly serverUrl: string;
  readonly fetch: Fetch;
  /** Absent: no tunnels. */
  readonly upgrade?: Upgrade;
}

const answerSlackSeconds = 20;
/** A balancer leads each connection to one of its processes: with four of them one in ten thousand tunnels fails. */
const tunnelAttempts = 32;
const isMisdirected = (error: unknown): boolean => error instanceof UpgradeRefused && error.status === 421;
const isTls = (url: string): boolean => url.startsWith("https:");

export async function joinPool(options: HttpTransportOptions, request: JoinRequest): Promise<JoinResponse> {
  return parse(await post(options, agentPaths.join, JSON.stringify(request), { seconds: answerSlackSeconds }), joinResponse);
}

/** `undefined`: pods reach the server itself. */
export async function certifyApiServer(
  options: HttpTransportOptions,
  credential: string,
  publicKeyPem: string,
): Promise<CertificateResponse | undefined> {
  try {
    const body = JSON.stringify({ publicKeyPem });
    return parse(await post(options, agentPaths.certificate, body, { credential, seconds: answerSlackSeconds }), certificateResponse);
  } catch (error) {
    if (error instanceof TransportError && error.status === 404) return undefined;
    throw error;
  }
}

export function createHttpTransport(options: HttpTransportOptions, credential: string): AgentTransport {
  return {
    async sync(request) {
      const seconds = (request.waitSeconds ?? 0) + answerSlackSeconds;
      return parse(await post(options, agentPaths.sync, JSON.stringify(request), { credential, seconds }), syncResponse);
    },
    async answerStream(id, body) {
      await post(options, agentPaths.stream(id), body, { credential });
    },
    async refuseStream(id, problem) {
      const type = "application/problem+json";
      await post(options, agentPaths.stream(id), JSON.stringify(problem), { credential, type, seconds: answerSlackSeconds });
    },
    async openTunnel(id, { url = options.serverUrl, process }) {
      const { serverUrl, upgrade } = options;
      if (upgrade === undefined) throw new TransportError("this agent opens no tunnels");
      // The node's credential goes along.
      if (isTls(serverUrl) && !isTls(url)) throw new TransportError(`the server at ${url} has no TLS`);
      const target = new URL(agentPaths.tunnel(id), url).href;
      const headers = { authorization: `Bearer ${credential}`, ...(process !== undefined && { [tunnelProcessHeader]: process }) };
      for (let attempt = 1; ; attempt++) {
        try {
          return await upgrade(target, headers, tunnelProtocol);
        } catch (error) {
          if (isMisdirected(error) && attempt < tunnelAttempts) continue;
          throw new TransportError(`the server at ${url} takes no tunnel`, undefined, error);
        }
      }
    },
  };
}

/** Syncs of several nodes in one call; answers stand in the order of the calls. */
export async function syncBatch(
  options: HttpTransportOptions,
  calls: readonly { readonly credential: string; readonly sync: SyncRequestInput }[],
  waitSeconds: number,
): Promise<z.output<typeof syncBatchResponse>["answers"]> {
  const body = JSON.stringify({ waitSeconds, calls });
  const { answers } = await parse(
    await post(options, agentPaths.syncBatch, body, { seconds: waitSeconds + answerSlackSeconds }),
    syncBatchResponse,
  );
  if (answers.length !== calls.length) throw new TransportError("the server answered another number of calls");
  return answers;
}

async function post(
  { serverUrl, fetch }: HttpTransportOptions,
  path: string,
  body: string | ReadableStream<Uint8Array>,
  { credential, seconds, type }: { credential?: string; seconds?: number; type?: string },
): Promise<string> {
  const headers: Record<string, string> = {
    "content-type": type ?? (typeof body === "string" ? "application/json" : "application/octet-stream"),
    ...(credential === undefined ? {} : { authorization: `Bearer ${credential}` }),
  };
  const signal = seconds === undefined ? {} : { signal: AbortSignal.timeout(seconds * 1000) };
  let status: number;
  let text: string;
  try {
    const duplex = typeof body === "string" ? {} : { duplex: "half" as const };
    const response = await fetch(new URL(path, serverUrl).href, { method: "POST", headers, body, ...signal, ...duplex });
    status = response.status;
    text = await response.text();
  } catch (error) {
    throw new TransportError(`the server at ${serverUrl} cannot be reached`, undefined, error);
  }
  if (status >= 200 && status < 300) return text;
  const problem = problemSchema.safeParse(parseJson(text));
  throw new TransportError(problem.success ? (problem.data.detail ?? problem.data.title) : `HTTP ${status}`, status);
}

function parse<T extends z.ZodType>(text: string, schema: T): z.output<T> {
  const result = schema.safeParse(parseJson(text));
  if (!result.success) throw new TransportError(`the server's answer is not as the protocol says: ${result.error.issues[0]?.message}`);
  return result.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
