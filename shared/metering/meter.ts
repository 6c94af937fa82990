import type { Clock } from "../clock.ts";
import type { ClusterRef } from "../store/store.ts";
import { type Amounts, addAmounts, isNothing, type UsageField } from "./amounts.ts";
import { hourOf, splitByHour } from "./periods.ts";
import { rowSort, type UsageSubject } from "./usage-records.ts";

/** What is there at a moment; it counts for as long as it stays. */
export interface Level {
  readonly pods?: number;
  readonly cpuMillis?: number;
  readonly memoryBytes?: number;
  readonly watches?: number;
  readonly storedBytes?: number;
}

export interface MeteredNode {
  readonly tenant: string;
  readonly pool: string;
  readonly nodeName: string;
}

/** Usage of one hour, not written yet. */
export interface UsageRow extends UsageSubject {
  readonly hour: string;
  readonly amounts: Amounts;
}

/**
 * Counts usage in memory from what passes by. A call costs some look-ups and no clock of its own where it counts requests. Nothing is known of the time
 * before the first call: what a process did not see, nobody pays for.
 */
export interface Meter {
  /** A request was answered. */
  request(cluster: ClusterRef, kind: "read" | "write"): void;
  /** What is there of the subject becomes more, or less. */
  change(tenant: string, subject: UsageSubject, by: Level): void;
  /**
   * A machine spoke, and counts for the time since it last did, unless it was silent for longer than two minutes. `previousMs`: when that was, for
   * hosts that remember it elsewhere. `cluster`: the only one that may use it, else empty.
   */
  nodeSpoke(node: MeteredNode, atMs: number, cluster: string, previousMs?: number): void;
  /** Everything since the last call, by tenant. It is the caller's: the meter forgets it. Nothing for whom nothing was there. */
  take(): Map<string, UsageRow[]>;
}

/** Agents speak at least this often. */
const silenceMs = 120_000;
/** Levels are settled at every `take`: what seems to have lasted longer was a process that stood still. */
const longestStepMs = 40 * 60_000;

interface Account {
  readonly tenant: string;
  readonly subject: UsageSubject;
  reads: number;
  writes: number;
  pods: number;
  cpuMillis: number;
  memoryBytes: number;
  watches: number;
  storedBytes: number;
  sinceMs: number;
}

export function createMeter(clock: Pick<Clock, "now">): Meter {
  const accounts = new Map<string, Account>();
  const spoke = new Map<string, number>();
  let rows = new Map<string, Map<string, { row: UsageRow; amounts: Partial<Record<UsageField, number>> }>>();
  let takenMs = clock.now();

  function accountOf(tenant: string, subject: UsageSubject): Account {
    const key = `${tenant}/${subject.cluster}/${subject.pool}`;
    let account = accounts.get(key);
    if (!account) {
      account = { ...none, tenant, subject, sinceMs: clock.now() };
      accounts.set(key, account);
    }
    return account;
  }

  function book(tenant: string, subject: UsageSubject, hour: string, amounts: Amounts, times = 1): void {
    if (isNothing(amounts)) return;
    const ofTenant = rows.get(tenant) ?? new Map();
    rows.set(tenant, ofTenant);
    const sort = rowSort(hour, subject);
    const held = ofTenant.get(sort)?.amounts ?? {};
    addAmounts(held, amounts, times);
    ofTenant.set(sort, { row: { hour, ...subject, amounts: held }, amounts: held });
  }

  /** Books what was there since the account was settled last. */
  function settle(account: Account, nowMs: number): void {
    const elapsedMs = nowMs - account.sinceMs;
    account.sinceMs = nowMs;
    if (elapsedMs <= 0 || elapsedMs > longestStepMs) return;
    const aSecond: Amounts = {
      podSeconds: account.pods,
      cpuMilliSeconds: account.cpuMillis,
      memoryByteSeconds: account.memoryBytes,
      watchSeconds: account.watches,
      storedByteSeconds: account.storedBytes,
    };
    for (const { hour, seconds } of splitByHour(nowMs - elapsedMs, nowMs)) book(account.tenant, account.subject, hour, aSecond, seconds);
  }

  return {
    request({ tenant, cluster }, kind) {
      const account = accounts.get(`${tenant}/${cluster}/`) ?? accountOf(tenant, { cluster, pool: "" });
      if (kind === "read") account.reads++;
      else account.writes++;
    },
    change(tenant, subject, by) {
      const account = accountOf(tenant, subject);
      settle(account, clock.now());
      account.pods += by.pods ?? 0;
      account.cpuMillis += by.cpuMillis ?? 0;
      account.memoryBytes += by.memoryBytes ?? 0;
      account.watches += by.watches ?? 0;
      account.storedBytes += by.storedBytes ?? 0;
    },
    nodeSpoke({ tenant, pool, nodeName }, atMs, cluster, previousMs) {
      const key = `${tenant}/${pool}/${nodeName}`;
      const before = previousMs ?? spoke.get(key) ?? atMs;
      spoke.set(key, atMs);
      if (atMs - before > silenceMs) return;
      for (const { hour, seconds } of splitByHour(before, atMs)) book(tenant, { cluster, pool }, hour, { nodeSeconds: seconds });
    },
    take() {
      const nowMs = clock.now();
      for (const [key, account] of accounts) {
        settle(account, nowMs);
        const { tenant, subject, reads, writes } = account;
        // Whoever takes at full hours has the requests in the hour in which they came.
        book(tenant, subject, hourOf(takenMs), { apiReads: reads, apiWrites: writes });
        account.reads = 0;
        account.writes = 0;
        if (isEmpty(account)) accounts.delete(key);
      }
      for (const [key, atMs] of spoke) if (atMs < nowMs - silenceMs) spoke.delete(key);
      takenMs = nowMs;
      const taken = rows;
      rows = new Map();
      return new Map([...taken].map(([tenant, ofTenant]) => [tenant, [...ofTenant.values()].map(({ row }) => row)]));
    },
  };
}

const none = { reads: 0, writes: 0, pods: 0, cpuMillis: 0, memoryBytes: 0, watches: 0, storedBytes: 0 };

const isEmpty = ({ pods, cpuMillis, memoryBytes, watches, storedBytes }: Account): boolean =>
  pods === 0 && cpuMillis === 0 && memoryBytes === 0 && watches === 0 && storedBytes === 0;
