import { createHash } from "node:crypto";
import { z } from "zod";
import type { Clock } from "../../clock.ts";
import { createAesSealer, type Sealer } from "../../store/sealer.ts";
import { isStoreError, type RecordKey, type Store } from "../../store/store.ts";
import { PlatformError } from "../problem.ts";
import { recordKeys } from "../record-keys.ts";
import { deleteRecord, getRecord, putRecord, untilUncontended, type Versioned } from "../records.ts";

/** An answer as it is kept: the body lies sealed in the store, because it may hold a secret that is shown once. */
export interface KeptAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface IdempotentRequest {
  readonly tenant: string;
  readonly keyId: string;
  /** The bearer secret of the request: with the Idempotency-Key it makes the key that the kept answer is sealed by. */
  readonly secret: string;
  readonly idempotencyKey: string;
  /** Method, path and body: what must be the same when the key is used again. */
  readonly content: string;
}

export const retentionMs = 86_400_000;
/** A request that has not ended by then died with its process: the next one may try. */
const abandonedMs = 60_000;

export const idempotencyRecord = z.object({
  fingerprint: z.string(),
  state: z.enum(["started", "answered"]),
  atMs: z.number(),
  answer: z.string().optional(),
});
type IdempotencyRecord = z.infer<typeof idempotencyRecord>;

const keptAnswer = z.object({ status: z.number(), headers: z.record(z.string(), z.string()), body: z.string() });
const hash = (text: string): string => createHash("sha256").update(text).digest("hex");

/**
 * Runs a request at most once for its Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), for a day: a repetition is given the
 * first answer. A refusal, which `run` throws, had no effect and is not kept. After a crash in the middle the request may be tried again a minute later; whether the first
 * attempt had its effect shows then (a name that is taken).
 * @throws PlatformError `idempotency-key-reused`, `request-in-progress`
 */
export async function runOnce(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  request: IdempotentRequest,
  run: () => Promise<KeptAnswer>,
): Promise<KeptAnswer & { readonly replayed: boolean }> {
  const key = recordKeys.idempotency(request.tenant, request.keyId, hash(request.idempotencyKey));
  const fingerprint = hash(request.content);
  const sealer = createAesSealer(createHash("sha256").update(`${request.secret}\n${request.idempotencyKey}`).digest());
  const claim = await untilUncontended(() => claimKey(store, key, fingerprint, clock.now()));
  if (claim.kind === "answered") return { ...open(sealer, fingerprint, claim.answer), replayed: true };
  let answer: KeptAnswer | undefined;
  try {
    answer = await run();
  } finally {
    if (answer === undefined) await release(store, key, claim.version);
  }
  const sealed = sealer.seal(Buffer.from(JSON.stringify(answer)), fingerprint).toString("base64");
  const record: IdempotencyRecord = { fingerprint, state: "answered", atMs: clock.now(), answer: sealed };
  await store.writeRecords([putRecord(key, undefined, record)]);
  return { ...answer, replayed: false };
}

type Claim = { readonly kind: "claimed"; readonly version: number } | { readonly kind: "answered"; readonly answer: string };

async function claimKey(store: Store, key: RecordKey, fingerprint: string, nowMs: number): Promise<Claim> {
  const found: Versioned<IdempotencyRecord> | undefined = await getRecord(store, idempotencyRecord, key);
  const ageMs = nowMs - (found?.value.atMs ?? 0);
  if (found && ageMs < retentionMs) {
    const { value } = found;
    if (value.fingerprint !== fingerprint) {
      throw new PlatformError("idempotency-key-reused", "The Idempotency-Key came with another method, path or body before.");
    }
    if (value.answer !== undefined) return { kind: "answered", answer: value.answer };
    if (ageMs < abandonedMs)
      throw new PlatformError("request-in-progress", "The same request is being worked on.", { retryAfterSeconds: 1 });
  }
  const record: IdempotencyRecord = { fingerprint, state: "started", atMs: nowMs };
  const [version = 1] = await store.writeRecords([putRecord(key, found?.version ?? 0, record)]);
  return { kind: "claimed", version };
}

async function release(store: Store, key: RecordKey, version: number): Promise<void> {
  try {
    await store.writeRecords([deleteRecord(key, version)]);
  } catch (error) {
    // Another attempt has taken it over: it is not ours to end.
    if (!isStoreError(error, "RevisionConflict")) throw error;
  }
}

function open(sealer: Sealer, fingerprint: string, answer: string): KeptAnswer {
  return keptAnswer.parse(JSON.parse(sealer.open(Buffer.from(answer, "base64"), fingerprint).toString()));
}
