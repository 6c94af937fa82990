import { timingSafeEqual } from "node:crypto";
import { secrets } from "../kubernetes/known-resources.ts";
import type { ObjectKey } from "../kubernetes/object.ts";
import type { Secret } from "../kubernetes/types.ts";
import type { ClusterRef } from "../store/store.ts";
import { defaultIssuer, type VerifiedToken } from "./token.ts";

const secretType = "bootstrap.kubernetes.io/token";
const namespace = "kube-system";
const groupPattern = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/** `id.secret`, by which a machine that has no credentials yet asks for some. It names no cluster. */
export interface BootstrapToken {
  readonly id: string;
  readonly secret: string;
}

export function parseBootstrapToken(text: string): BootstrapToken | undefined {
  const [, id, secret] = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(text) ?? [];
  return id !== undefined && secret !== undefined ? { id, secret } : undefined;
}

/** Where a cluster keeps the token. */
export const bootstrapSecretKey = (id: string): ObjectKey => ({ ...secrets, namespace, name: `bootstrap-token-${id}` });

export const isBootstrapSecret = ({ type, metadata }: Secret): boolean => type === secretType && metadata.namespace === namespace;

/** When the token ends, in milliseconds since 1970; `undefined`: never. One whose end cannot be read has ended. */
export function bootstrapExpiry(secret: Secret): number | undefined {
  const text = read(secret, "expiration");
  if (text === "") return undefined;
  const endMs = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(endMs) ? 0 : endMs;
}

/** Whom the token shows, by the Secret of its id (plugin/pkg/auth/authenticator/token/bootstrap). `undefined`: nobody. */
export function verifyBootstrapToken(
  token: BootstrapToken,
  secret: Secret | undefined,
  cluster: ClusterRef,
  nowMs: number,
): VerifiedToken | undefined {
  if (!secret || secret.metadata.deletionTimestamp !== undefined || !isBootstrapSecret(secret)) return undefined;
  if (!isSame(read(secret, "token-secret"), token.secret) || read(secret, "token-id") !== token.id) return undefined;
  const expiresAtMs = bootstrapExpiry(secret) ?? Number.POSITIVE_INFINITY;
  if (expiresAtMs <= nowMs || read(secret, "usage-bootstrap-authentication") !== "true") return undefined;
  const extra = read(secret, "auth-extra-groups");
  const groups = extra === "" ? [] : extra.split(",");
  if (!groups.every((group) => groupPattern.test(group))) return undefined;
  const user = {
    username: `system:bootstrap:${token.id}`,
    groups: [...new Set(["system:bootstrappers", ...groups.sort()]), "system:authenticated"],
  };
  return { cluster, user, audiences: [defaultIssuer], expiresAtMs, binding: undefined };
}

/** The token by which `kube-public/cluster-info` is to be signed now, if the Secret holds one (kubernetes/pkg/controller/bootstrap `util.go`). */
export function signingToken(held: Secret, nowMs: number): BootstrapToken | undefined {
  const [id, secret] = [read(held, "token-id"), read(held, "token-secret")];
  const isWhole = isBootstrapSecret(held) && secret !== "" && bootstrapSecretKey(id).name === held.metadata.name;
  const isFor = read(held, "usage-bootstrap-signing") === "true" && (bootstrapExpiry(held) ?? Number.POSITIVE_INFINITY) > nowMs;
  return isWhole && isFor ? { id, secret } : undefined;
}

const read = ({ data }: Secret, key: string): string => Buffer.from(data?.[key] ?? "", "base64").toString("utf8");

function isSame(kept: string, given: string): boolean {
  const [a, b] = [Buffer.from(kept), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}
