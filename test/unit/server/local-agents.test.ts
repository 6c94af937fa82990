import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createLocalAgents } from "../../../server/local-agents.ts";
import { joinRequest } from "../../../shared/api/agent/protocol.ts";
import type { JoinTokens } from "../../../shared/platform/join-tokens.ts";
import type { NodeRecord, PoolRecord } from "../../../shared/platform/records.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { createFakeClock, type FakeClock } from "../controllers/fake-clock.ts";

const pool: PoolRecord = {
  ...{ id: "pl-1", tenant: "acme", name: "dev", runtime: "hollow", size: 1 },
  ...{ labels: {}, taints: [], createdAtMs: 0, updatedAtMs: 0 },
};
const token = {
  ...{ id: "jt-1", tenant: "acme", pool: "pl-1", prefix: "p", hash: "h" },
  ...{ createdAtMs: 0, expiresAtMs: 1, uses: 0, revoked: 0 },
};

const node: NodeRecord = {
  ...{ tenant: "acme", pool: "pl-1", name: "dev-0", machineId: "m", runtime: "process", drain: "drained" },
  ...{ credentialHash: "h", joinedAtMs: 0, updatedAtMs: 0 },
};

describe("the machines of the embedded host", () => {
  let folder: string;
  let clock: FakeClock;
  /** Takes machines in, and holds their calls. */
  let platform: Server;
  let joined: string[];
  /** It holds no call but refuses it. */
  let away: boolean;
  /** Each time a start asked for a join token: whether it got one. */
  let asked: boolean[];
  /** What a start waits for that asks for a token. */
  let giveToken: () => Promise<void>;
  let agents: ReturnType<typeof createLocalAgents>;
  /** What takes a machine out of the pool. */
  let remove: (name: string) => Promise<void>;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "coracle-local-agents-"));
    clock = createFakeClock();
    joined = [];
    away = false;
    asked = [];
    giveToken = () => Promise.reject(new Error("not yet"));
    remove = () => Promise.reject(new Error("no node is taken away here"));
    platform = createServer(async (request, response) => {
      if (request.url !== "/agent/v1/join") return away ? void response.writeHead(503).end() : undefined;
      const { node } = joinRequest.parse(await json(request));
      joined.push(node.name);
      response.end(JSON.stringify({ pool: pool.id, nodeName: node.name, credential: "c", clusters: [] }));
    });
    platform.listen(0, "127.0.0.1");
    await once(platform, "listening");
    const url = `http://127.0.0.1:${(platform.address() as AddressInfo).port}`;
    const joinTokens: Pick<JoinTokens, "create"> = {
      async create() {
        const given = await giveToken().then(
          () => true,
          () => false,
        );
        asked.push(given);
        if (!given) throw new Error("not yet");
        return { token: "t", record: { value: token, version: 1 } };
      },
    };
    agents = createLocalAgents({
      stateDirectory: folder,
      server: () => ({ url, caPem: "" }),
      joinTokens: () => joinTokens,
      nodes: () => ({
        drain: async () => ({ value: node, version: 1 }),
        get: async () => ({ value: node, version: 1 }),
        remove: (_tenant, _pool, name) => remove(name),
      }),
      wakeDrainer: () => {},
      runtimeEndpoint: undefined,
      clock,
      log: silentLog,
    });
  });
  afterEach(async () => {
    await agents.close();
    platform.closeAllConnections();
    platform.close();
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
    giveToken = () => Promise.resolve();
    await vi.waitFor(() => {
      clock.advance(5_000);
      expect(joined).toEqual(["dev-0"]);
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

  it("become as many as was asked for last, though an earlier wish failed after that", async () => {
    const begun = Promise.withResolvers<void>();
    const first = Promise.withResolvers<void>();
    giveToken = () => {
      begun.resolve();
      return first.promise;
    };
    await agents.resize({ ...pool, size: 2 });
    await begun.promise;
    await agents.resize(pool);
    giveToken = () => Promise.resolve();
    first.reject(new Error("not yet"));
    await vi.waitFor(() => expect(joined).toContain("dev-0"), inTime);
    clock.advance(60_000);
    await agents.close();
    expect(joined).toEqual(["dev-0"]);
  });

  it("are known until their pool has let go of them, and taken out again when that failed", async () => {
    giveToken = () => Promise.resolve();
    away = true;
    const ofProcesses = { ...pool, runtime: "process" as const };
    await agents.resize(ofProcesses);
    await vi.waitFor(() => expect(joined).toEqual(["dev-0"]), inTime);
    const asked: string[] = [];
    remove = async (name) => {
      asked.push(name);
      if (asked.length === 1) throw new Error("the store is away");
    };
    await agents.resize({ ...ofProcesses, size: 0 });
    await vi.waitFor(() => {
      clock.advance(5_000);
      expect(asked.length).toBeGreaterThan(1);
    }, inTime);
    await vi.waitFor(async () => expect(await readdir(join(folder, pool.id))).toEqual(["prefix"]), inTime);
    expect(new Set(asked)).toEqual(new Set(["dev-0"]));
  });

  it("of a pool of none leave nothing on the disk and ask for nothing", async () => {
    await agents.resize({ ...pool, size: 0 });
    await agents.close();
    expect([asked, await readdir(folder)]).toEqual([[], []]);
  });
});
