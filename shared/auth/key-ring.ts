import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, type JWK } from "jose";
import type { SigningKeySource, SigningKeys, VerifyingKey } from "./signing-keys.ts";

interface RingKey {
  readonly key: KeyObject;
  readonly jwk: JWK;
  readonly verifies: VerifyingKey["verifies"];
}

/** The keys of an issuer, ready for use. */
export interface KeyRing {
  readonly privateKey: KeyObject;
  /** Of the key that signs. */
  readonly kid: string;
  readonly byId: ReadonlyMap<string, RingKey>;
}

/** A source whose key never changes. */
export function onlyKey(signing: string): SigningKeySource {
  const keys: SigningKeys = { signing, others: [] };
  return { current: () => keys, refresh: () => Promise.resolve() };
}

export async function ringOf({ signing, others }: SigningKeys): Promise<KeyRing> {
  const privateKey = createPrivateKey(signing);
  const withId = async (key: KeyObject, verifies: VerifyingKey["verifies"]): Promise<[string, RingKey]> => {
    const jwk = await exportJWK(key);
    const kid = await calculateJwkThumbprint(jwk);
    return [kid, { key, jwk: { use: "sig", ...jwk, kid, alg: "ES256" }, verifies }];
  };
  const own = await withId(createPublicKey(privateKey), "all");
  const rest = await Promise.all(others.map(({ pem, verifies }) => withId(createPublicKey(pem), verifies)));
  return { privateKey, kid: own[0], byId: new Map([own, ...rest]) };
}
