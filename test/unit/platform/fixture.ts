import { generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApiKeyScope, apiKeyScopes } from "../../../shared/auth/api-key.ts";
import { createTokenIssuer } from "../../../shared/auth/token.ts";
import type { RemovedNode } from "../../../shared/platform/nodes.ts";
import { createPlatform, type PlatformOptions } from "../../../shared/platform/platform.ts";
import type { NodeOperations } from "../../../shared/platform/provisioner.ts";
import type { ClusterRecord, NodeRecord, PoolRecord } from "../../../shared/platform/records.ts";
import { LmdbStore } from "../../../shared/store/lmdb/lmdb-store.ts";
import { createAesSealer } from "../../../shared/store/sealer.ts";
import type { Store } from "../../../shared/store/store.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { createFakeClock } from "../controllers/fake-clock.ts";

/** What the world was told, and what it answers. */
export class FakeWorld {
  readonly created: string[] = [];
  readonly sizes = new Map<string, number>();
  readonly paused = new Map<string, boolean>();
  readonly removedNodes: string[] = [];
  readonly uncordoned: string[] = [];
  deleting: "done" | "pending" | Error = "done";
  draining: "done" | "pending" = "done";
  /** What happens before the Node objects of a machine go. */
  removing: (node: RemovedNode) => Promise<void> = async () => {};
  readyAtOnce = true;

  readonly provisioner = () => {
    const world = this;
    return {
      get readyAtOnce() {
        return world.readyAtOnce;
      },
      created: async (cluster: ClusterRecord) => void world.created.push(cluster.name),
      resized: async (pool: PoolRecord) => void world.sizes.set(pool.name, pool.size),
      scheduling: async (cluster: ClusterRecord) => void world.paused.set(cluster.name, cluster.schedulingPaused === true),
      deleting: async () => {
        if (world.deleting instanceof Error) throw world.deleting;
        return world.deleting;
      },
    };
  };

  readonly nodeOperations: NodeOperations = {
    drain: async () => this.draining,
    uncordon: async (node: NodeRecord) => void this.uncordoned.push(node.name),
    removed: async (node: RemovedNode) => {
      await this.removing(node);
      this.removedNodes.push(node.name);
    },
  };
}

export interface ProblemBody {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly requestId: string;
  readonly errors?: { pointer?: string; parameter?: string; detail: string }[];
}

const signingKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();

/** A platform over a fresh store, with the tenant `acme` and a key that may do everything. */
export async function openPlatform(options: Partial<PlatformOptions> = {}) {
  const folder = await mkdtemp(join(tmpdir(), "coracle-platform-"));
  const clock = createFakeClock();
  const world = new FakeWorld();
  const store = new LmdbStore({ path: join(folder, "store"), now: clock.now });
  const tokens = createTokenIssuer({ signingKey, clock, uid: randomUUID });
  const faults: Partial<Record<keyof Store, Error>> = {};
  const fragile = new Proxy<Store>(store, {
    get(target, name) {
      const fault = Object.entries(faults).find(([method]) => method === name)?.[1];
      const member: unknown = Reflect.get(target, name, target);
      if (fault) return () => Promise.reject(fault);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  const make = () =>
    createPlatform({
      ...{ store: fragile, storeOf: () => fragile, clock, log: silentLog, randomBytes, uid: randomUUID, tokens, version: "0.0.0" },
      provisioner: world.provisioner(),
      operations: world.nodeOperations,
      server: () => ({ url: "https://127.0.0.1:7443", caPem: "CA", kubernetesVersion: "v1.33.0" }),
      cursorKey: Buffer.alloc(32, 1),
      webhooks: {
        sealer: createAesSealer(Buffer.alloc(32, 2)),
        allowPrivate: false,
        random: () => 0.5,
        transport: { post: async () => ({ kind: "failed", message: "no network here" }) },
      },
      ...options,
    });
  const platform = make();
  await platform.tenants.create({ id: "acme", name: "Acme" });
  const keyOf = async (scopes: readonly ApiKeyScope[], tenant = "acme") =>
    (await platform.keys.create(tenant, { name: "test", scopes })).key;
  const admin = await keyOf(apiKeyScopes);

  async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}, key = admin): Promise<Response> {
    const raw = typeof body === "string" ? body : JSON.stringify(body);
    return platform.app.request(path, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(raw !== undefined && { "content-type": "application/json" }), ...headers },
      ...(raw !== undefined && { body: raw }),
    });
  }
  /** The body of an answer that must have this status. */
  async function expectStatus<T>(status: number, answer: Response | Promise<Response>): Promise<T> {
    const response = await answer;
    const text = await response.text();
    if (response.status !== status) throw new Error(`${response.status} instead of ${status}: ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }
  const dispose = async () => {
    await platform.stop();
    await store.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { platform, store, faults, clock, world, tokens, admin, keyOf, call, expectStatus, make, dispose };
}

export type Bench = Awaited<ReturnType<typeof openPlatform>>;
