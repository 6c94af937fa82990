import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { z } from "zod";
import type { SigningKeySource, SigningKeys } from "../auth/signing-keys.ts";
import type { Clock } from "../clock.ts";
import type { Sealer } from "../store/sealer.ts";
import { isStoreError, type RecordKey, type Store } from "../store/store.ts";

const dayMs = 86_400_000;
/** How long a key signs. */
const signsMs = 90 * dayMs;
/** A new key is published for so long before it signs: longer than any process or cache of the key set goes without a look. */
const announcedMs = 2 * 3_600_000;
/** Whoever has read the keys looks again after this. */
const lookAgainMs = 30 * 60_000;
/** And so soon for a token of a key that it does not know. */
const unknownMs = 30_000;
/** The longest life of a token of a kubeconfig, and a day for what was signed late. */
const verifiesMs = 366 * dayMs;

export const ringRecord = z.object({
  /** Sealed. */
  signingKey: z.string(),
  /** Of the installation's first key: 0. */
  signsFromMs: z.number().default(0),
  /** Signs from then on, whether or not anybody has made it the `signingKey` yet. */
  next: z.object({ key: z.string(), fromMs: z.number() }).optional(),
  /** Public keys. Their private halves are gone. */
  former: z.array(z.object({ pem: z.string(), untilMs: z.number() })).default([]),
});
type RingRecord = z.infer<typeof ringRecord>;

export interface SigningKeyRing extends SigningKeySource {
  /** Looks again where the last look is half an hour old. */
  keepUp(): Promise<void>;
  /** Makes the next key when it is time, and lets go of the one before. Whoever does so, and however often, it comes to the same. */
  rotate(): Promise<void>;
}

export interface SigningKeyRingOptions {
  readonly store: Store;
  readonly clock: Pick<Clock, "now">;
  readonly sealer: Sealer;
  readonly key: RecordKey;
}

const sealedAs = "signing key";

export const newSigningKey = (sealer: Sealer): string => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return sealer.seal(Buffer.from(privateKey.export({ type: "pkcs8", format: "pem" }).toString()), sealedAs).toString("base64");
};

/** The keys that sign and verify an installation's tokens, in a record that all its processes read. Each signs for 90 days. */
export function createSigningKeyRing(first: unknown, { store, clock, sealer, key }: SigningKeyRingOptions): SigningKeyRing {
  let record = ringRecord.parse(first);
  let readMs = clock.now();
  let made: { readonly changesMs: number; readonly of: RingRecord; readonly keys: SigningKeys } | undefined;
  const open = (sealed: string): string => sealer.open(Buffer.from(sealed, "base64"), sealedAs).toString("utf8");

  async function look() {
    const [found] = await store.getRecords([key]);
    readMs = clock.now();
    if (!found) throw new Error("the installation's keys are gone");
    const next = ringRecord.parse(found.value);
    if (JSON.stringify(next) !== JSON.stringify(record)) record = next;
    return found;
  }

  return {
    current() {
      const nowMs = clock.now();
      if (made?.of !== record || made.changesMs <= nowMs) made = { ...keysAt(record, nowMs, open), of: record };
      return made.keys;
    },
    async refresh() {
      if (clock.now() - readMs >= unknownMs) await look();
    },
    async keepUp() {
      if (clock.now() - readMs >= lookAgainMs) await look();
    },
    async rotate() {
      const { value, version } = await look();
      const next = rotated(record, clock.now(), sealer, open);
      if (!next) return;
      const { next: _, ...rest } = value;
      try {
        await store.writeRecords([{ ...key, kind: "put", expected: version, value: { ...rest, ...next } }]);
        record = next;
      } catch (error) {
        // Another process was first.
        if (!isStoreError(error, "RevisionConflict")) throw error;
        await look();
      }
    },
  };
}

function keysAt(
  { signingKey, next, former }: RingRecord,
  nowMs: number,
  open: (sealed: string) => string,
): { readonly keys: SigningKeys; readonly changesMs: number } {
  const isNext = next !== undefined && next.fromMs <= nowMs;
  const signing = open(isNext ? next.key : signingKey);
  const beside = isNext ? open(signingKey) : next && open(next.key);
  const others = former.map(({ pem, untilMs }) => ({ pem, verifies: untilMs > nowMs ? ("all" as const) : ("kept" as const) }));
  const ahead = [...(next ? [next.fromMs] : []), ...former.map(({ untilMs }) => untilMs)].filter((ms) => ms > nowMs);
  return {
    keys: { signing, others: [...(beside === undefined ? [] : [{ pem: beside, verifies: "all" as const }]), ...others] },
    changesMs: Math.min(...ahead, Number.POSITIVE_INFINITY),
  };
}

/** `undefined`: nothing is to change yet. */
function rotated(record: RingRecord, nowMs: number, sealer: Sealer, open: (sealed: string) => string): RingRecord | undefined {
  const { signingKey, signsFromMs, next, former } = record;
  if (next && next.fromMs <= nowMs) {
    const pem = createPublicKey(open(signingKey)).export({ type: "spki", format: "pem" }).toString();
    return { signingKey: next.key, signsFromMs: next.fromMs, former: [{ pem, untilMs: next.fromMs + verifiesMs }, ...former] };
  }
  if (next || nowMs - signsFromMs < signsMs) return undefined;
  return { ...record, next: { key: newSigningKey(sealer), fromMs: nowMs + announcedMs } };
}
