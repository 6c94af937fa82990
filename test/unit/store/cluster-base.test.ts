import { expect, it } from "vitest";
import { createClusterBase } from "../../../shared/store/cluster-base.ts";

const key = { group: "", resource: "things", namespace: "", name: "a" };
const object = {
  kind: "Thing",
  apiVersion: "v1",
  metadata: { name: "a", managedFields: [{ manager: "kube-apiserver" }] },
  status: { conditions: [{ type: "Ready", status: "True" }] },
};
const base = createClusterBase(
  () => [{ key, object }],
  ({ name }) => name,
);
const cluster = { tenant: "t", cluster: "c" };

it("gives each cluster copies with its own uids, dated from its birth", () => {
  const bornAt = Date.parse("2026-01-01T00:00:00.500Z");
  const own = base.of(cluster, bornAt).get("a")?.object;
  expect(own).toMatchObject({
    metadata: {
      name: "a",
      resourceVersion: "1",
      creationTimestamp: "2026-01-01T00:00:00Z",
      managedFields: [{ time: "2026-01-01T00:00:00Z" }],
    },
    status: { conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" }] },
  });
  expect(base.of(cluster, bornAt).get("a")?.object).toEqual(own);
  expect(base.of({ ...cluster, cluster: "d" }, bornAt).get("a")?.object.metadata.uid).not.toBe(own?.metadata.uid);
});
