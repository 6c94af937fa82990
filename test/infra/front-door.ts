import { Agent, type RequestListener, request } from "node:http";
import { listenWithTls, type TlsListener } from "../e2e/tls-listener.ts";
import type { Outputs } from "./deployment.ts";

/** Set by `awslambda.mjs` where emulators would pass on nothing but text. */
const encodedHeader = "x-coracle-test-encoded";

/** One HTTPS address on this machine for the three function URLs, by path as the CloudFront distribution does it: kubectl sends tokens over TLS alone. */
export async function openFrontDoor(endpoint: string, { CoracleApi }: Outputs): Promise<TlsListener> {
  const agent = new Agent({ keepAlive: true });
  const emulator = new URL(endpoint);
  const forward: RequestListener = (incoming, answer) => {
    const target = new URL(functionUrlOf(CoracleApi, incoming.url ?? "/"));
    // Of one hop alone (RFC 9110 §7.6.1): LocalStack would take an upgrade for one to itself, and never answer.
    const { host: _host, connection: _connection, upgrade: _upgrade, ...headers } = incoming.headers;
    const outgoing = request(
      {
        agent,
        host: emulator.hostname,
        port: emulator.port,
        method: incoming.method,
        path: incoming.url,
        // The emulator tells function URLs by their host name.
        headers: { ...headers, host: target.hostname, "accept-encoding": "identity" },
      },
      (response) => {
        const { connection: _closed, "transfer-encoding": _chunked, [encodedHeader]: encoded, ...received } = response.headers;
        if (encoded === undefined) {
          answer.writeHead(response.statusCode ?? 502, received);
          response.pipe(answer);
          return;
        }
        const { "content-length": _length, ...plain } = received;
        response.toArray().then(
          (chunks) =>
            answer.writeHead(response.statusCode ?? 502, plain).end(Buffer.from(Buffer.concat(chunks).toString("utf8"), "base64")),
          (error: unknown) => answer.destroy(error instanceof Error ? error : undefined),
        );
      },
    );
    outgoing.on("error", (error) => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end(String(error))));
    incoming.pipe(outgoing);
  };
  const listener = await listenWithTls(forward);
  return {
    ...listener,
    close() {
      listener.close();
      agent.destroy();
    },
  };
}

function functionUrlOf(urls: Outputs["CoracleApi"], path: string): string {
  if (path.startsWith("/v1/") || path === "/openapi.json") return urls.PlatformApiUrl;
  return path.startsWith("/agent/") ? urls.AgentApiUrl : urls.ClusterApiUrl;
}
