import { generateKeyPairSync, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ApiCluster } from "../../../shared/api/api-cluster.ts";
import { type ServedCluster, serveCluster } from "../../../shared/api/cluster-api.ts";
import { createClusterTokens } from "../../../shared/api/cluster-tokens.ts";
import { RequestMetrics } from "../../../shared/api/metrics/request-metrics.ts";
import { Documents } from "../../../shared/api/non-resource.ts";
import { Registry } from "../../../shared/api/registry.ts";
import { ResourceCatalog } from "../../../shared/api/resource-catalog.ts";
import { isStream, isUpgrade } from "../../../shared/api/response.ts";
import { createNodeAuthorizer } from "../../../shared/auth/node-authorizer.ts";
import { createRbacAuthorizer } from "../../../shared/auth/rbac.ts";
import { createTokenIssuer } from "../../../shared/auth/token.ts";
import type { UserInfo } from "../../../shared/auth/user.ts";
import { systemClock } from "../../../shared/clock.ts";
import { createHostBase } from "../../../shared/host/base.ts";
import { type Feature, optionalResources } from "../../../shared/kubernetes/resources.ts";
import { StatusError } from "../../../shared/kubernetes/status-error.ts";
import { objectPath } from "../../../shared/store/lmdb/encoding.ts";
import { LmdbStore } from "../../../shared/store/lmdb/lmdb-store.ts";
import { Mirror } from "../../../shared/store/mirror.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";

export const admin: UserInfo = { username: "admin", groups: ["system:masters", "system:authenticated"] };

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came back
  readonly body: any;
}

export interface Harness {
  readonly served: ServedCluster;
  readonly cluster: ApiCluster;
  readonly store: LmdbStore;
  call(method: string, url: string, body?: unknown, headers?: Record<string, string>, user?: UserInfo): Promise<Answer>;
  /** Starts a watch; `lines` grows as events come. */
  watch(url: string): Promise<{ lines: { type: string; object: Record<string, unknown> }[]; ended: Promise<void>; stop(): void }>;
  close(): Promise<void>;
}

/** One cluster behind its API, over a real LMDB, without a socket. */
export async function createHarness(more: Pick<ApiCluster, "webhooks"> = {}, open: readonly Feature[] = []): Promise<Harness> {
  const optional = optionalResources(open);
  const folder = mkdtempSync(join(tmpdir(), "coracle-api-"));
  const store = new LmdbStore({ path: join(folder, "store"), base: createHostBase("CA", objectPath), now: () => Date.now() });
  const ref = { tenant: "t", cluster: "c" };
  await store.createCluster(ref);
  const mirror = await Mirror.open(store, ref, { onEnd: () => {} });
  const cluster: ApiCluster = {
    ref,
    store,
    mirror,
    resources: new ResourceCatalog(mirror, () => Date.now(), optional),
    clock: systemClock,
    log: silentLog,
    random: Math.random,
    uid: randomUUID,
    serviceCidr: { first: 0x0a600000, size: 2 ** 20 },
    ...more,
  };
  const signingKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const issuer = createTokenIssuer({ signingKey, clock: systemClock, uid: randomUUID });
  const served: ServedCluster = {
    cluster,
    registry: new Registry(cluster),
    authorizer: createNodeAuthorizer(mirror, createRbacAuthorizer(mirror)),
    tokens: createClusterTokens(issuer, ref, mirror, systemClock),
    podStreams: { log: () => Promise.reject(new StatusError("ServiceUnavailable", "no node")) },
    documents: new Documents("127.0.0.1:7443", optional),
    metrics: new RequestMetrics(() => Date.now()),
    encoders: new WeakMap(),
  };
  const request = (method: string, url: string, body: unknown, headers: Record<string, string>) => {
    const bytes = body === undefined ? Buffer.alloc(0) : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
    const all: Record<string, string> = { "content-type": "application/json", "user-agent": "test/1", ...headers };
    const headersFrom = (prefix: string) => Object.entries(all).filter(([name]) => name.startsWith(prefix));
    return { method, url, header: (name: string) => all[name], headersFrom, body: async () => bytes };
  };
  const unknown: unknown[] = [];
  return {
    served,
    cluster,
    store,
    async call(method, url, body, headers = {}, user = admin) {
      const answer = await serveCluster(served, request(method, url, body, headers), user, (error) => unknown.push(error));
      if (unknown.length > 0) throw unknown.pop();
      if (isStream(answer.body) || isUpgrade(answer.body)) throw new Error("a stream: use watch");
      const text = (Buffer.isBuffer(answer.body) ? answer.body : Buffer.concat(answer.body)).toString();
      return {
        status: answer.status,
        headers: answer.headers,
        text,
        body: answer.headers["content-type"] === "application/json" ? JSON.parse(text || "null") : undefined,
      };
    },
    async watch(url) {
      const answer = await serveCluster(served, request("GET", url, undefined, {}), admin, (error) => unknown.push(error));
      if (!isStream(answer.body)) throw new Error(`no stream: ${answer.status}`);
      const lines: { type: string; object: Record<string, unknown> }[] = [];
      let end = (): void => {};
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      const stop = answer.body.start({
        write: (chunk) => {
          for (const line of chunk.toString().split("\n")) if (line !== "") lines.push(JSON.parse(line));
          return true;
        },
        drained: () => Promise.resolve(),
        end: () => end(),
      });
      return { lines, ended, stop };
    },
    async close() {
      mirror.close();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
