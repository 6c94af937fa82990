import {
  apiServerDnsNames,
  apiServerIps,
  createCertificateAuthority,
  issueServerCertificate,
} from "../../shared/auth/certificate-authority.ts";

/** For an HTTPS server of a test on loopback, of an authority of its own. */
export async function issueTestCertificate(): Promise<{ readonly key: string; readonly cert: string; readonly caPem: string }> {
  const authority = await createCertificateAuthority({ commonName: "coracle-test-ca", notBefore: Date.now() });
  const { keyPem, certificatePem } = await issueServerCertificate({
    caKeyPem: authority.keyPem,
    caPem: authority.certificatePem,
    dnsNames: apiServerDnsNames,
    ips: apiServerIps,
    notBefore: Date.now(),
    days: 1,
  });
  return { key: keyPem, cert: certificatePem, caPem: authority.certificatePem };
}
