import { Agent, type RequestListener, request } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import {
  apiServerDnsNames,
  apiServerIps,
  createCertificateAuthority,
  issueServerCertificate,
} from "../../shared/auth/certificate-authority.ts";
import type { Outputs } from "./deployment.ts";

/** One HTTPS address on this machine for the three function URLs, by path as the CloudFront distribution does it: kubectl sends tokens over TLS alone. */
export interface FrontDoor {
  readonly url: string;
  readonly caPem: string;
  close(): void;
}

export async function openFrontDoor(endpoint: string, { CoracleApi }: Outputs): Promise<FrontDoor> {
  const authority = await createCertificateAuthority({ commonName: "coracle-test-ca", notBefore: Date.now() });
  const issued = await issueServerCertificate({
    caKeyPem: authority.keyPem,
    caPem: authority.certificatePem,
    dnsNames: apiServerDnsNames,
    ips: apiServerIps,
    notBefore: Date.now(),
    days: 1,
  });
  const agent = new Agent({ keepAlive: true });
  const emulator = new URL(endpoint);
  const forward: RequestListener = (incoming, answer) => {
    const target = new URL(functionUrlOf(CoracleApi, incoming.url ?? "/"));
    const { host: _host, connection: _connection, ...headers } = incoming.headers;
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
        const { connection: _closed, "transfer-encoding": _chunked, ...received } = response.headers;
        answer.writeHead(response.statusCode ?? 502, received);
        response.pipe(answer);
      },
    );
    outgoing.on("error", (error) => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end(String(error))));
    incoming.pipe(outgoing);
  };
  const server = createServer({ key: issued.keyPem, cert: issued.certificatePem }, forward);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    caPem: authority.certificatePem,
    close() {
      server.close();
      server.closeAllConnections();
      agent.destroy();
    },
  };
}

function functionUrlOf(urls: Outputs["CoracleApi"], path: string): string {
  if (path.startsWith("/v1/") || path === "/openapi.json") return urls.PlatformApiUrl;
  return path.startsWith("/agent/") ? urls.AgentApiUrl : urls.ClusterApiUrl;
}
