import { expect, it } from "vitest";
import { byRevision, maxRevision } from "../../../../shared/controllers/deployments/revisions.ts";
import type { ReplicaSet } from "../../../../shared/kubernetes/types.ts";

const revised = (revision: string): ReplicaSet => ({
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  metadata: { name: revision, annotations: { "deployment.kubernetes.io/revision": revision } },
  spec: { selector: {} },
});

it("tells revisions of 64 bits apart, as clients may set them", () => {
  const [low, high] = [revised("3546343826724305832"), revised("3546343826724305833")];
  expect(maxRevision([high, low, revised("x")])).toBe(3546343826724305833n);
  expect([high, low].sort(byRevision)).toEqual([low, high]);
});
