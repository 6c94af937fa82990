import { describe, expect, it } from "vitest";
import type { Node } from "../../../shared/kubernetes/types.ts";
import { NodeTable } from "../../../shared/scheduler/node-table.ts";
import { Tally, Topology } from "../../../shared/scheduler/tally.ts";

const nodeOf = (name: string, zone?: string): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: zone ? { zone } : {} },
});

function setUp(zones: Record<string, string | undefined>, isCounted = (_slot: number): boolean => true) {
  const nodes = new NodeTable();
  for (const [name, zone] of Object.entries(zones)) nodes.set(nodeOf(name, zone));
  const tally = new Tally();
  const table = tally.domains(new Topology("zone", nodes), "", isCounted, nodes);
  table.refresh();
  const add = (name: string, delta: number): void => tally.change(nodes.slot(name) ?? -1, delta);
  return { nodes, tally, table, add, sum: (name: string) => table.sumAt(nodes.slot(name) ?? -1) };
}

describe("a domain table", () => {
  it("sums up by domain as pods come and go", () => {
    const { table, add, sum } = setUp({ a1: "a", a2: "a", b1: "b", none: undefined });
    add("a1", 1);
    add("a2", 2);
    add("none", 5);
    expect([sum("a1"), sum("a2"), sum("b1"), sum("none")]).toEqual([3, 3, 0, 0]);
    expect([table.domainCount, table.total, table.least()]).toEqual([2, 3, 0]);
    add("a2", -2);
    expect(sum("a1")).toBe(1);
  });

  it("knows its least domain through every change", () => {
    const { table, add } = setUp({ a: "a", b: "b" });
    const leasts: number[] = [table.least()];
    for (const [name, delta] of [
      ["a", 2],
      ["b", 1],
      ["b", 3],
      ["a", -2],
      ["a", 5],
      ["b", -4],
    ] as const) {
      add(name, delta);
      leasts.push(table.least());
    }
    expect(leasts).toEqual([0, 0, 1, 2, 0, 4, 0]);
  });

  it("is summed up anew when nodes change", () => {
    const { nodes, table, add, sum } = setUp({ a1: "a", b1: "b" });
    add("a1", 2);
    nodes.set(nodeOf("a1", "b"));
    add("b1", 1);
    table.refresh();
    expect([sum("a1"), sum("b1"), table.domainCount, table.least()]).toEqual([3, 3, 1, 3]);
    nodes.remove("a1");
    nodes.remove("b1");
    table.refresh();
    expect([table.domainCount, table.total, table.least()]).toEqual([0, 0, 0]);
  });

  it("leaves nodes out that are not counted, and domains of such nodes alone", () => {
    const { table, add, sum } = setUp({ a1: "a", b1: "b" }, (slot) => slot === 0);
    add("a1", 2);
    add("b1", 1);
    expect([sum("a1"), sum("b1"), table.domainCount, table.least()]).toEqual([2, 0, 1, 2]);
  });

  it("grows with its slots", () => {
    const tally = new Tally();
    tally.change(1000, 3);
    expect([tally.count(1000), tally.count(5000)]).toEqual([3, 0]);
  });
});
