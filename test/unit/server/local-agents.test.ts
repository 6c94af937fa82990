import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createLocalAgents } from "../../../server/local-agents.ts";
import type { JoinTokens } from "../../../shared/platform/join-tokens.ts";
import type { PoolRecord } from "../../../shared/platform/records.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { createFakeClock, type FakeClock } from "../controllers/fake-clock.ts";

const pool: PoolRecord = {
  ...{ id: "pl-1", tenant: "acme", name: "dev", runtime: "hollow", size: 0 },
  ...{ labels: {}, taints: [], createdAtMs: 0, updatedAtMs: 0 },
};

describe("the machines of the embedded host", () => {
  let folder: string;
  let clock: FakeClock;
  /** Each time a start asked for a join token: whether it got one. */
  let asked: boolean[];
  let failing: boolean;
  let agents: ReturnType<typeof createLocalAgents>;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "coracle-local-agents-"));
    clock = createFakeClock();
    asked = [];
    failing = true;
    const record = {
      id: "jt-1",
      tenant: "acme",
      pool: "pl-1",
      prefix: "p",
      hash: "h",
      createdAtMs: 0,
      expiresAtMs: 1,
      uses: 0,
      revoked: 0,
    };
    const joinTokens: Pick<JoinTokens, "create"> = {
      async create() {
        asked.push(!failing);
        if (failing) throw new Error("not yet");
        return { token: "t", record: { value: record, version: 1 } };
      },
    };
    agents = createLocalAgents({
      stateDirectory: folder,
      server: () => ({ url: "https://127.0.0.1:1", caPem: "" }),
      joinTokens: () => joinTokens,
      nodes: () => {
        throw new Error("no node is taken away here");
      },
      wakeDrainer: () => {},
      runtimeEndpoint: undefined,
      clock,
      log: silentLog,
    });
  });
  afterEach(async () => {
    await agents.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** A busy machine is slow to start a process. */
  const inTime = { timeout: 20_000 };
  const times = (count: number) => vi.waitFor(() => expect(asked).toHaveLength(count), inTime);

  it("are started again and again until they run, as their container runtime may come later", async () => {
    await agents.resize(pool);
    await times(1);
    await vi.waitFor(() => {
      clock.advance(5_000);
      expect(asked.length).toBeGreaterThan(1);
    }, inTime);
    failing = false;
    await vi.waitFor(() => {
      clock.advance(5_000);
      expect(asked.at(-1)).toBe(true);
    }, inTime);
    const before = asked.length;
    clock.advance(60_000);
    expect(asked).toHaveLength(before);
  });

  it("are not started any more when their pool is gone", async () => {
    await agents.resize(pool);
    await times(1);
    await agents.remove(pool.id);
    clock.advance(60_000);
    expect(asked).toEqual([false]);
  });
});
