import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createTokenIssuer, type TokenIssuer } from "../../../shared/auth/token.ts";
import { type Installation, openInstallation } from "../../../shared/host/installation.ts";
import { DynamoStore } from "../../../shared/store/dynamo/dynamo-store.ts";
import { createFakeClock } from "../controllers/fake-clock.ts";
import { MemoryTable } from "../store/dynamo/memory-table.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const cluster = { tenant: "acme", cluster: "dev" };

interface Process {
  readonly keys: Installation["signingKeys"];
  readonly issuer: TokenIssuer;
}

function bed() {
  const clock = createFakeClock(Date.UTC(2026, 0, 1));
  const store = new DynamoStore({ table: new MemoryTable(), clock, random: Math.random, makeId: randomUUID });
  /** Another process of the installation. */
  const start = async (): Promise<Process> => {
    const { signingKeys: keys } = await openInstallation(store, "r".repeat(64), clock);
    return { keys, issuer: createTokenIssuer({ signingKey: keys, clock, uid: randomUUID }) };
  };
  return { clock, start };
}

const issue = async ({ issuer }: Process, days = 1): Promise<string> =>
  (await issuer.issueClusterToken({ cluster, username: "jane", groups: [], expirationSeconds: days * 86_400 })).token;
const isGood = async ({ issuer }: Process, token: string): Promise<boolean> => (await issuer.verifyToken(token)) !== undefined;
const kidsOf = async ({ issuer }: Process): Promise<unknown[]> => (await issuer.jwks()).keys.map(({ kid }) => kid);
const kidOf = (token: string): unknown => JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).kid;

describe("the keys that sign an installation's tokens", () => {
  test("take turns every 90 days: the next one is published two hours before it signs, the one before verifies on", async () => {
    const { clock, start } = bed();
    const [one, other] = [await start(), await start()];
    const first = await issue(one, 300);
    await one.keys.rotate();
    expect(await kidsOf(one)).toEqual([kidOf(first)]);

    clock.advance(90 * dayMs);
    await one.keys.rotate();
    expect(await kidsOf(one)).toHaveLength(2);
    expect(kidOf(await issue(one))).toBe(kidOf(first));
    clock.advance(hourMs);
    await other.keys.keepUp();
    expect(await kidsOf(other)).toEqual(await kidsOf(one));

    clock.advance(hourMs);
    // Whether or not anybody has come by to write that it does.
    const second = await issue(one);
    expect(kidOf(second)).not.toBe(kidOf(first));
    expect(kidOf(await issue(other))).toBe(kidOf(second));
    await Promise.all([one.keys.rotate(), other.keys.rotate()]);
    const late = await start();
    for (const process of [one, other, late]) {
      expect(new Set(await kidsOf(process))).toEqual(new Set([kidOf(first), kidOf(second)]));
      expect([await isGood(process, first), await isGood(process, second)]).toEqual([true, true]);
    }
  });

  test("are known to a process that slept through it as soon as it meets a token of theirs", async () => {
    const { clock, start } = bed();
    const [one, asleep] = [await start(), await start()];
    await issue(asleep);
    clock.advance(90 * dayMs);
    await one.keys.rotate();
    clock.advance(2 * hourMs);
    await one.keys.rotate();
    expect(await isGood(asleep, await issue(one))).toBe(true);
    expect(await isGood(asleep, `${(await issue(one)).slice(0, -4)}AAAA`)).toBe(false);
  });

  test("verify what Secrets keep without an end, but nothing else and unpublished, when all else has expired", async () => {
    const { clock, start } = bed();
    const one = await start();
    const kept = await one.issuer.issueKeptToken({
      cluster,
      namespace: "default",
      serviceAccount: { name: "robot", uid: "u1" },
      secretName: "robot-token",
    });
    const long = await issue(one, 3650);
    for (let day = 0; day < 470; day += 10) {
      clock.advance(10 * dayMs);
      await one.keys.rotate();
      clock.advance(3 * hourMs);
      await one.keys.rotate();
    }
    const fresh = await start();
    expect(await kidsOf(fresh)).not.toContain(kidOf(kept));
    expect(await kidsOf(fresh)).toContain(kidOf(await issue(fresh)));
    expect([await isGood(fresh, kept), await isGood(fresh, long)]).toEqual([true, false]);
  });
});
