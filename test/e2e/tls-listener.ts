import type { RequestListener } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import {
  apiServerDnsNames,
  apiServerIps,
  createCertificateAuthority,
  issueServerCertificate,
} from "../../shared/auth/certificate-authority.ts";

export interface TlsListener {
  readonly url: string;
  /** Of its certificate. */
  readonly caPem: string;
  /** Connections end at once. */
  close(): void;
}

/** An HTTPS server of a test on a free port of loopback, with a certificate of an authority of its own. */
export async function listenWithTls(answer: RequestListener): Promise<TlsListener> {
  const authority = await createCertificateAuthority({ commonName: "coracle-test-ca", notBefore: Date.now() });
  const { keyPem, certificatePem } = await issueServerCertificate({
    caKeyPem: authority.keyPem,
    caPem: authority.certificatePem,
    dnsNames: apiServerDnsNames,
    ips: apiServerIps,
    notBefore: Date.now(),
    days: 1,
  });
  const server = createServer({ key: keyPem, cert: certificatePem }, answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    caPem: authority.certificatePem,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
