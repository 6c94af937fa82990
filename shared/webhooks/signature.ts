import { createHmac } from "node:crypto";

/** Standard Webhooks 1.0, "Signature scheme": symmetric secrets are `whsec_` and base64 of 24 to 64 random bytes. */
const secretPrefix = "whsec_";
const secretBytes = 32;

/** `randomBytes` from a cryptographic source. */
export const makeSecret = (randomBytes: (count: number) => Buffer): string =>
  `${secretPrefix}${randomBytes(secretBytes).toString("base64")}`;

export interface SignedMessage {
  readonly id: string;
  readonly timestampSeconds: number;
  readonly body: string;
}

/**
 * The headers by which a receiver knows a message: HMAC-SHA256 over `id.timestamp.body`, once with each secret (Standard Webhooks 1.0, "Webhook headers"):
 * while a secret is being replaced, receivers that have either accept it.
 */
export function signatureHeaders({ id, timestampSeconds, body }: SignedMessage, secrets: readonly string[]): Record<string, string> {
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(secretPrefix.length), "base64");
    return `v1,${createHmac("sha256", key).update(`${id}.${timestampSeconds}.${body}`).digest("base64")}`;
  });
  return { "webhook-id": id, "webhook-timestamp": String(timestampSeconds), "webhook-signature": signatures.join(" ") };
}
