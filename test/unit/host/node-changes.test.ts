import { describe, expect, it } from "vitest";
import type { CredentialCheck, NodeIdentity } from "../../../shared/api/agent/ports.ts";
import { createNodeChanges } from "../../../shared/host/node-changes.ts";
import type { NodeMarks } from "../../../shared/host/node-marks.ts";
import { createPlatformNews } from "../../../shared/platform/news.ts";

const node: NodeIdentity = { tenant: "acme", pool: "p", nodeName: "n1" };

/** Marks that stand at `word`, and how often they and credentials were read. */
function bench() {
  const said = { word: "1.1", reads: 0, checks: 0, nowMs: 0 };
  const marks: Pick<NodeMarks, "state"> = {
    async state() {
      said.reads++;
      return { word: said.word, lastSeenMs: undefined };
    },
  };
  const pool = () => ({ clustersOf: async () => ({ labels: {}, taints: [], clusters: [] }) });
  const directory = { open: async () => undefined, onEvict: () => () => {} };
  const { changes, authenticate } = createNodeChanges({
    ...{ marksOf: () => marks, clock: { now: () => said.nowMs } },
    ...{ pool, news: createPlatformNews(), directory },
  });
  const call = (credential: string, its = node): Promise<CredentialCheck> =>
    authenticate(credential, async () => {
      said.checks++;
      return { kind: "node", node: its };
    });
  return { said, changes, call };
}

describe("what an agent's call reads", () => {
  it("is its state alone once its credential is known, and that once", async () => {
    const { said, changes, call } = bench();
    for (let time = 0; time < 2; time++) {
      await call("c");
      await changes.follow(node, await changes.state(node));
    }
    [said.reads, said.checks] = [0, 0];
    await call("c");
    expect(await changes.state(node)).toBe("1.1");
    expect([said.reads, said.checks]).toEqual([1, 0]);
  });

  it("is no more for those that come when many have come and gone", async () => {
    const { said, call } = bench();
    for (let at = 0; at < 10_001; at++) await call(`old-${at}`, { ...node, nodeName: `o${at}` });
    await call("c");
    await call("c");
    said.checks = 0;
    await call("c");
    expect(said.checks).toBe(0);
  });
});

describe("a credential", () => {
  it("is looked up anew when its pool's mark has moved, though a call of another node has seen that before", async () => {
    const { said, changes, call } = bench();
    const other = { ...node, nodeName: "n2" };
    for (let time = 0; time < 2; time++)
      for (const [credential, its] of [
        ["c", node],
        ["o", other],
      ] as const)
        await call(credential, its);
    said.word = "1.2";
    await call("o", other);
    await changes.follow(other, await changes.state(other));
    said.checks = 0;
    await call("c");
    expect(said.checks).toBe(1);
  });

  it("is not good by a look that was before its pool's mark moved", async () => {
    const { said, call } = bench();
    await call("c");
    said.word = "1.2";
    said.checks = 0;
    await call("c");
    await call("c");
    expect(said.checks).toBe(1);
  });
});
