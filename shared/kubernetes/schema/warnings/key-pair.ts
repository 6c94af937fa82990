import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";

/** What Go's `tls.X509KeyPair` finds wrong with a certificate and its key in PEM; undefined when they belong together. */
export function keyPairProblem(certificate: string, key: string): string | undefined {
  const certificates = blocksOf(certificate);
  const leaf = certificates.find(({ type }) => type === "CERTIFICATE");
  if (leaf === undefined) {
    if (certificates.length === 0) return "tls: failed to find any PEM data in certificate input";
    const found = certificates.map(({ type }) => type);
    if (found.length === 1 && found[0]?.endsWith("PRIVATE KEY") === true) {
      return "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched";
    }
    return `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [${found.join(" ")}]`;
  }
  const keys = blocksOf(key);
  const own = keys.find(({ type }) => type === "PRIVATE KEY" || type.endsWith(" PRIVATE KEY"));
  if (own === undefined) {
    if (keys.length === 0) return "tls: failed to find any PEM data in key input";
    const found = keys.map(({ type }) => type);
    if (found.length === 1 && found[0] === "CERTIFICATE")
      return "tls: found a certificate rather than a key in the PEM for the private key";
    return `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: [${found.join(" ")}]`;
  }
  return mismatch(leaf.text, own.text);
}

function mismatch(certificate: string, key: string): string | undefined {
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(certificate);
  } catch {
    return "x509: malformed certificate";
  }
  try {
    const derived = createPublicKey(createPrivateKey(key));
    if (leaf.publicKey.asymmetricKeyType !== derived.asymmetricKeyType) return "tls: private key type does not match public key type";
    return leaf.publicKey.equals(derived) ? undefined : "tls: private key does not match public key";
  } catch {
    return "tls: failed to parse private key";
  }
}

function blocksOf(text: string): { readonly type: string; readonly text: string }[] {
  const blocks = text.matchAll(/-----BEGIN ([^-\n]+)-----\n[A-Za-z0-9+/=\s]*?-----END \1-----/g);
  return [...blocks].map((match) => ({ type: match[1] ?? "", text: match[0] }));
}
