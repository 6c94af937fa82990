import { expect, it } from "vitest";
import type { ClusterRuntime } from "../../../shared/host/cluster-runtime.ts";
import { createNodePool, type NodePoolOptions } from "../../../shared/host/node-pool.ts";
import { createPlatformNews } from "../../../shared/platform/news.ts";

const nodeOf = (pool: string) => ({ tenant: "acme", pool, nodeName: "n1" });

/** A pool whose reads are counted. */
function bench() {
  const reads: string[] = [];
  const news = createPlatformNews();
  const options = {
    news,
    pools: {
      async get(_tenant: string, pool: string) {
        reads.push(pool);
        return { value: { labels: {}, taints: [] }, version: 1 };
      },
      clustersOn: async () => [],
    },
    nodes: {},
    clusters: {},
    heartbeats: { seen: () => {} },
    meter: { nodeSpoke: () => {} },
    host: { open: async (): Promise<ClusterRuntime | undefined> => undefined, onEvict: () => () => {} },
  };
  return { pool: createNodePool(options as object as NodePoolOptions), reads, news };
}

it("what was read of a pool is kept until somebody tells of a change of it", async () => {
  const { pool, reads, news } = bench();
  await pool.clustersOf(nodeOf("p"));
  await pool.clustersOf(nodeOf("p"));
  expect(reads).toEqual(["p"]);
  news.poolChanged("acme", "p");
  await pool.clustersOf(nodeOf("p"));
  expect(reads).toEqual(["p", "p"]);
});

it("of pools that nobody asked about for long nothing is kept", async () => {
  const { pool, reads } = bench();
  await pool.clustersOf(nodeOf("old"));
  for (let at = 0; at < 10_000; at++) await pool.clustersOf(nodeOf(`p${at}`));
  reads.length = 0;
  await pool.clustersOf(nodeOf("p9999"));
  await pool.clustersOf(nodeOf("old"));
  expect(reads).toEqual(["old"]);
});
