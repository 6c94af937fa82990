import { generateKeyPairSync } from "node:crypto";
import { type IncomingMessage, Agent as PlainAgent, request as plainRequest, type ServerResponse } from "node:http";
import { createServer, Agent as SecureAgent, request as secureRequest } from "node:https";
import type { Clock } from "../../shared/clock.ts";
import type { Log } from "../../shared/telemetry/log.ts";
import type { ApiProxy } from "./api-proxy.ts";
import { listenOn } from "./listen-on.ts";

/** The certificate under which a node stands for the API server, and where that is. */
export interface ApiCertificate {
  readonly url: string;
  readonly certificatePem: string;
  readonly expiresAtMs: number;
}

/** A key of this node's, to stand for the API server with. */
export interface ApiKeyPair {
  readonly privateKeyPem: string;
  readonly publicKeyPem: string;
}

export interface ApiGatewayOptions {
  readonly keys: ApiKeyPair;
  /** Absent: none yet. It is asked for until there is one; connections fail until then. */
  readonly certificate?: ApiCertificate;
  /** Asks the server to certify the key as that of `kubernetes.default.svc`. */
  readonly certify: () => Promise<ApiCertificate>;
  /** PEM of the authority of the server's own certificate; absent: the system's. */
  readonly ca: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

const renewBeforeMs = 10 * 24 * 3_600_000;
const retryMs = 60_000;
/** Of one connection alone (RFC 9110 §7.6.1). */
const hopHeaders = new Set(["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host"]);

export function newApiKeyPair(): ApiKeyPair {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    publicKeyPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
  };
}

/**
 * The way of a node's pods to an API server whose certificate is not the cluster's own, such as a function's URL: pods know `kubernetes.default.svc` and
 * their cluster's authority, so the node ends their TLS with a certificate of that authority and passes each request on under the server's name.
 * Upgrades (exec) do not pass.
 */
export function createApiGateway({ keys, certificate: first, certify, ca, clock, log }: ApiGatewayOptions): ApiProxy {
  const key = keys.privateKeyPem;
  let certificate = first;
  const agents = {
    "http:": new PlainAgent({ keepAlive: true }),
    "https:": new SecureAgent({ keepAlive: true, ...(ca !== undefined && { ca }) }),
  };

  const forward = (incoming: IncomingMessage, response: ServerResponse): void => {
    // Who got through the handshake has seen a certificate.
    const target = new URL(certificate?.url ?? "");
    const isPlain = target.protocol === "http:";
    const send = isPlain ? plainRequest : secureRequest;
    const outgoing = send({
      agent: agents[isPlain ? "http:" : "https:"],
      hostname: target.hostname.replace(/^\[|\]$/g, ""),
      port: target.port === "" ? (isPlain ? 80 : 443) : Number(target.port),
      method: incoming.method,
      path: incoming.url,
      headers: { ...endToEnd(incoming.headers), host: target.host },
    });
    outgoing.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, endToEnd(answer.headers));
      // A watch says nothing for long.
      response.flushHeaders();
      answer.on("error", () => response.destroy());
      answer.pipe(response);
    });
    outgoing.on("error", (cause) => {
      log.debug("a pod's request did not reach the API server", { reason: cause.message });
      if (response.headersSent) response.destroy();
      else response.writeHead(502, { "content-type": "text/plain" }).end("the API server cannot be reached\n");
    });
    response.on("close", () => outgoing.destroy());
    incoming.pipe(outgoing);
  };

  const cert = first?.certificatePem;
  const server = createServer({ ...(cert !== undefined && { key, cert }), ALPNProtocols: ["http/1.1"] }, forward);
  server.on("tlsClientError", (cause) => log.debug("a pod's connection to the API server failed", { reason: cause.message }));
  let cancel = (): void => {};
  const renewLater = (delayMs: number): void => {
    cancel = clock.after(delayMs, () => {
      certify().then(
        (next) => {
          certificate = next;
          server.setSecureContext({ key, cert: next.certificatePem });
          renewLater(untilRenewal(next));
        },
        (error: unknown) => {
          log.warn("the certificate of the way to the API server is not renewed yet", { cause: String(error) });
          renewLater(retryMs);
        },
      );
    });
  };
  const untilRenewal = ({ expiresAtMs }: ApiCertificate): number => Math.max(retryMs, expiresAtMs - renewBeforeMs - clock.now());
  renewLater(first ? untilRenewal(first) : 0);

  return {
    listen: (address, port) => listenOn(server, address, port),
    close: () =>
      new Promise((resolve) => {
        cancel();
        server.close(() => resolve());
        server.closeAllConnections();
        for (const agent of Object.values(agents)) agent.destroy();
      }),
  };
}

const endToEnd = (headers: IncomingMessage["headers"]): Record<string, string | string[]> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined || hopHeaders.has(name) ? [] : [[name, value]])),
  );
