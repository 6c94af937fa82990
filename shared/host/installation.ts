import { hkdfSync } from "node:crypto";
import { z } from "zod";
import { createCertificateAuthority } from "../auth/certificate-authority.ts";
import type { Clock } from "../clock.ts";
import { createAesSealer, type Sealer } from "../store/sealer.ts";
import { isStoreError, type RecordKey, type Store } from "../store/store.ts";
import { createSigningKeyRing, newSigningKey, ringRecord, type SigningKeyRing } from "./signing-key-ring.ts";

/** The keys of an installation without a disk: one secret from outside, and what was made at the first use, sealed by it, in a record. */
export interface Installation {
  /** The keys that sign tokens. */
  readonly signingKeys: SigningKeyRing;
  /** Seals Secrets at rest. */
  readonly sealer: Sealer;
  /** 32 bytes: signs page cursors. */
  readonly cursorKey: Buffer;
  readonly caPem: string;
  readonly caKeyPem: () => string;
}

const key: RecordKey = { partition: "platform#installation", sort: "keys" };
const recordShape = ringRecord.extend({ caKey: z.string(), caPem: z.string() });

/** RFC 5869: independent keys of one secret. */
const derive = (master: string, purpose: string): Buffer => Buffer.from(hkdfSync("sha256", master, "", `coracle ${purpose}`, 32));

/** One read; the first call of all makes the keys. `store` needs no more than records. @throws where the secret is another than the keys were sealed by */
export async function openInstallation(store: Store, master: string, clock: Pick<Clock, "now">): Promise<Installation> {
  const keySealer = createAesSealer(derive(master, "keys"));
  const found = (await readKeys(store)) ?? (await makeKeys(store, keySealer, clock.now()));
  const open = (sealed: string, name: string): string => keySealer.open(Buffer.from(sealed, "base64"), name).toString("utf8");
  return {
    signingKeys: createSigningKeyRing(found, { store, clock, sealer: keySealer, key }),
    sealer: createAesSealer(derive(master, "sealing")),
    cursorKey: derive(master, "cursors"),
    caPem: found.caPem,
    caKeyPem: () => open(found.caKey, "authority key"),
  };
}

async function readKeys(store: Store): Promise<z.infer<typeof recordShape> | undefined> {
  const [record] = await store.getRecords([key]);
  return record && recordShape.parse(record.value);
}

async function makeKeys(store: Store, sealer: Sealer, nowMs: number): Promise<z.infer<typeof recordShape>> {
  const seal = (pem: string, name: string): string => sealer.seal(Buffer.from(pem), name).toString("base64");
  const authority = await createCertificateAuthority({ commonName: "coracle-ca", notBefore: nowMs });
  const value = {
    signingKey: newSigningKey(sealer),
    signsFromMs: nowMs,
    former: [],
    caKey: seal(authority.keyPem, "authority key"),
    caPem: authority.certificatePem,
  };
  try {
    await store.writeRecords([{ ...key, kind: "put", expected: 0, value }]);
    return value;
  } catch (error) {
    // Another function was first: its keys are the installation's.
    const theirs = isStoreError(error, "RevisionConflict") ? await readKeys(store) : undefined;
    if (!theirs) throw error;
    return theirs;
  }
}
