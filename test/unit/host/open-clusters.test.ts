import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { OpenClusters } from "../../../shared/host/open-clusters.ts";
import { type ClusterRef, StoreError } from "../../../shared/store/store.ts";

const ref: ClusterRef = { tenant: "acme", cluster: "dev" };

interface Runtime {
  endWatches(): void;
  close(): Promise<void>;
}

/** Opens clusters when it is told to. */
function openable() {
  const openings: { readonly onEnd: () => void; readonly settle: PromiseWithResolvers<Runtime> }[] = [];
  const closed: number[] = [];
  const clusters = new OpenClusters((_ref, onEnd) => {
    const settle = Promise.withResolvers<Runtime>();
    openings.push({ onEnd, settle });
    return settle.promise;
  });
  const left: ClusterRef[] = [];
  clusters.onEvict((ref) => left.push(ref));
  const opened = (index: number): void =>
    openings[index]?.settle.resolve({ endWatches: () => {}, close: async () => void closed.push(index) });
  return { clusters, openings, opened, closed, left };
}

describe("clusters in memory", () => {
  it("are opened once, and again after one that could not be", async () => {
    const { clusters, openings, opened } = openable();
    const asked = [clusters.open(ref), clusters.open(ref)];
    expect(openings).toHaveLength(1);
    openings[0]?.settle.reject(new StoreError("NoSuchCluster", "there is none"));
    expect(await Promise.all(asked)).toEqual([undefined, undefined]);
    const again = clusters.open(ref);
    opened(1);
    expect(await again).toBe(clusters.peek(ref));
    expect(openings).toHaveLength(2);
  });

  it("are closed and told of when their log ends, once, even before they are there", async () => {
    const { clusters, openings, opened, closed, left } = openable();
    const asked = clusters.open(ref);
    openings[0]?.onEnd();
    openings[0]?.onEnd();
    expect(clusters.peek(ref)).toBeUndefined();
    opened(0);
    await asked;
    await turn();
    expect([closed, left]).toEqual([[0], [ref]]);
  });

  it("stay when one of the same name that was evicted before ends", async () => {
    const { clusters, openings, opened, closed, left } = openable();
    void clusters.open(ref);
    opened(0);
    await clusters.evict(ref);
    expect(closed).toEqual([0]);
    const asked = clusters.open(ref);
    opened(1);
    const runtime = await asked;
    openings[0]?.onEnd();
    expect(clusters.peek(ref)).toBe(runtime);
    expect(left).toEqual([]);
  });
});
