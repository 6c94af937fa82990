import { expect, it } from "vitest";
import { nodeWithStatus } from "../../../../shared/api/agent/node-object.ts";
import type { Node } from "../../../../shared/kubernetes/types.ts";
import { describedNode } from "./fake-pool.ts";

it("leaves extended resources that others gave to a node", () => {
  const description = describedNode("one");
  const given = { "example.com/foo": "5" };
  const status = { capacity: { cpu: "1", gone: "1", ...given }, allocatable: { cpu: "1", ...given } };
  const node: Node = { apiVersion: "v1", kind: "Node", metadata: { name: "one" }, status };
  const next = nodeWithStatus(node, description, 0, 300);
  expect(next?.status?.capacity).toEqual({ ...description.capacity, ...given });
  expect(next?.status?.allocatable).toEqual({ ...description.allocatable, ...given });
  expect(next && nodeWithStatus(next, description, 0, 300)).toBeUndefined();
});
