import { generateSecretToken, parseSecretToken, type SecretToken, secretTokenOf } from "./secret-token.ts";

/**
 * What an API key may do. `…:write` includes `…:read`. `operator` runs the installation: it makes tenants and keys of any tenant,
 * and acts for the tenant it names.
 */
export const apiKeyScopes = [
  "clusters:read",
  "clusters:write",
  "nodes:read",
  "nodes:write",
  "keys:read",
  "keys:write",
  "usage:read",
  "webhooks:read",
  "webhooks:write",
  "operator",
] as const;
export type ApiKeyScope = (typeof apiKeyScopes)[number];

const kind = "ck_live";

export const generateApiKey = (randomBytes: (count: number) => Buffer): SecretToken => generateSecretToken(kind, randomBytes);
/** The first key of an installation without a disk, made of a secret of 32 letters and digits that its operator reads elsewhere. */
export const operatorApiKey = (secret: string): SecretToken => secretTokenOf(kind, operatorPrefix, secret);
export const operatorPrefix = "operator";
export const parseApiKey = (token: string): SecretToken | undefined => parseSecretToken(kind, token);

export function allows(granted: readonly ApiKeyScope[], wanted: ApiKeyScope): boolean {
  if (granted.includes(wanted)) return true;
  return wanted.endsWith(":read") && granted.some((scope) => scope === wanted.replace(":read", ":write"));
}
