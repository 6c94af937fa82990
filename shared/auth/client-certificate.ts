import { createHash, type KeyObject, X509Certificate } from "node:crypto";
import type { ClusterRef } from "../store/store.ts";
import { authorityName } from "./certificate-signing.ts";
import { defaultIssuer, type VerifiedToken } from "./token.ts";

/** By whom the client certificates of a cluster are signed. */
export interface ClientAuthority {
  readonly cluster: ClusterRef;
  readonly publicKey: KeyObject;
}

/** RFC 5280 §4.2.1.12. */
const clientAuth = "1.3.6.1.5.5.7.3.2";

/**
 * Whom a client certificate shows: its common name, and each organization as a group (k8s.io/apiserver/pkg/authentication/request/x509).
 * It is good at the cluster whose authority signed it, and nowhere else. `undefined`: it shows nobody there, or not now.
 * @param der the certificate that the connection was made with
 */
export function verifyClientCertificate(der: Buffer, { cluster, publicKey }: ClientAuthority, nowMs: number): VerifiedToken | undefined {
  const certificate = new X509Certificate(der);
  const expiresAtMs = Date.parse(certificate.validTo);
  if (nowMs < Date.parse(certificate.validFrom) || nowMs >= expiresAtMs) return undefined;
  if (certificate.ca || certificate.keyUsage?.includes(clientAuth) !== true) return undefined;
  if (certificate.issuer !== `CN=${authorityName(cluster.cluster)}` || !certificate.verify(publicKey)) return undefined;
  const { CN: names = [], O: organizations = [] } = certificate.toLegacyObject().subject as unknown as Readonly<
    Record<string, string | string[] | undefined>
  >;
  const username = [names].flat()[0] ?? "";
  if (username === "") return undefined;
  const groups = [...[organizations].flat(), "system:authenticated"];
  const extra = { "authentication.kubernetes.io/credential-id": [`X509SHA256=${createHash("sha256").update(der).digest("hex")}`] };
  return { cluster, user: { username, groups, extra }, audiences: [defaultIssuer], expiresAtMs, binding: undefined };
}
