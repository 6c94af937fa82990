import { Agent, request } from "node:https";
import type { LookupFunction } from "node:net";
import { isIP } from "node:net";
import type { WebhookCaller, WebhookTarget } from "../api/admission/webhooks/caller.ts";

export interface HttpsWebhookCallerOptions {
  /** Whether an address may be connected to. */
  readonly mayConnect: (address: string) => boolean;
  /** All addresses of a name, as the system knows them. */
  readonly resolve: (hostname: string) => Promise<readonly string[]>;
}

const mostAgents = 100;
const mostAnswerBytes = 3 * 1024 * 1024;

/** Webhooks over HTTPS with connections that are kept for the next request. */
export class HttpsWebhookCaller implements WebhookCaller {
  readonly #options: HttpsWebhookCallerOptions;
  /** By address, name and authority: a connection never serves another webhook. Least recently used first. */
  readonly #agents = new Map<string, Agent>();
  constructor(options: HttpsWebhookCallerOptions) {
    this.#options = options;
  }

  async call(target: WebhookTarget, body: Buffer, timeoutMs: number): Promise<{ status: number; body: Buffer }> {
    const url = new URL(target.url);
    if (url.protocol !== "https:") throw new Error(`unsupported protocol scheme ${JSON.stringify(url.protocol.slice(0, -1))}`);
    const deadline = AbortSignal.timeout(timeoutMs);
    const hostname = url.hostname.replace(/^\[|\]$/g, "");
    const address = target.connectTo?.address ?? (await this.#addressOf(hostname, deadline));
    const port = target.connectTo?.port ?? Number(url.port || 443);
    if (!this.#options.mayConnect(address))
      throw new Error(
        `dial tcp ${shown(address, port)}: the address is not public, and the operator of this server does not allow webhooks there`,
      );
    return this.#post(target, url, hostname, address, port, body, deadline);
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  async #addressOf(hostname: string, deadline: AbortSignal): Promise<string> {
    if (isIP(hostname) !== 0) return hostname;
    let addresses: readonly string[];
    try {
      addresses = await Promise.race([this.#options.resolve(hostname), rejectionOf(deadline)]);
    } catch (error) {
      if (deadline.aborted) throw new Error("context deadline exceeded");
      throw new Error(`dial tcp: lookup ${hostname}: ${codeOf(error) === "ENOTFOUND" ? "no such host" : "server misbehaving"}`);
    }
    // One that may not be connected to makes the whole name suspicious, but a public one beside it is what is meant.
    const chosen = addresses.find((each) => this.#options.mayConnect(each)) ?? addresses[0];
    if (chosen === undefined) throw new Error(`dial tcp: lookup ${hostname}: no such host`);
    return chosen;
  }

  #post(
    target: WebhookTarget,
    url: URL,
    hostname: string,
    address: string,
    port: number,
    body: Buffer,
    signal: AbortSignal,
  ): Promise<{ status: number; body: Buffer }> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void =>
        reject(new Error(signal.aborted ? "context deadline exceeded" : describe(error, address, port)));
      const outgoing = request(
        {
          agent: this.#agent(target.caBundle, hostname, address),
          host: hostname,
          port,
          method: "POST",
          path: `${url.pathname}${url.search}`,
          headers: { host: url.host, "content-type": "application/json", accept: "application/json, */*", "content-length": body.length },
          signal,
        },
        (incoming) => {
          const chunks: Buffer[] = [];
          let size = 0;
          incoming.on("data", (chunk: Buffer) => {
            size += chunk.length;
            if (size > mostAnswerBytes) incoming.destroy(new Error("the answer is too long"));
            else chunks.push(chunk);
          });
          incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks) }));
          incoming.on("error", fail);
        },
      );
      outgoing.on("error", fail);
      outgoing.end(body);
    });
  }

  /** Its connections go to one address, whatever the name means by now; the certificate has to be the name's. */
  #agent(caBundle: string | undefined, hostname: string, address: string): Agent {
    const key = JSON.stringify([address, hostname, caBundle]);
    const known = this.#agents.get(key);
    this.#agents.delete(key);
    const lookup: LookupFunction = (_name, options, callback) => {
      const family = isIP(address);
      if (options.all) callback(null, [{ address, family }]);
      else callback(null, address, family);
    };
    const servername = isIP(hostname) === 0 ? { servername: hostname } : {};
    const agent = known ?? new Agent({ keepAlive: true, maxSockets: 100, lookup, ...servername, ...(caBundle && { ca: caBundle }) });
    this.#agents.set(key, agent);
    for (const [oldest, unused] of this.#agents) {
      if (this.#agents.size <= mostAgents) break;
      unused.destroy();
      this.#agents.delete(oldest);
    }
    return agent;
  }
}

const rejectionOf = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));

const codeOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error && typeof error.code === "string" ? error.code : "";
const shown = (address: string, port: number): string => `${isIP(address) === 6 ? `[${address}]` : address}:${port}`;

const dialFailures: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  ETIMEDOUT: "connect: connection timed out",
};

/** In the words of Go's `net` and `crypto/x509`, so that who searches for them finds what others found. */
function describe(error: unknown, address: string, port: number): string {
  const code = codeOf(error);
  const dial = dialFailures[code];
  if (dial !== undefined) return `dial tcp ${shown(address, port)}: ${dial}`;
  if (code === "ECONNRESET") return "EOF";
  if (/^(SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER_CERT|VERIFY_LEAF_SIGNATURE))/.test(code))
    return "tls: failed to verify certificate: x509: certificate signed by unknown authority";
  const message = error instanceof Error ? error.message : "no answer";
  if (code === "CERT_HAS_EXPIRED") return "tls: failed to verify certificate: x509: certificate has expired or is not yet valid";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return `tls: failed to verify certificate: x509: ${message}`;
  return message;
}
