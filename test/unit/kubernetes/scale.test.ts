import { describe, expect, it } from "vitest";
import { findResource, type ResourceDefinition } from "../../../shared/kubernetes/resources.ts";
import { scaleOf, withReplicas } from "../../../shared/kubernetes/scale.ts";

function resource(group: string, name: string): ResourceDefinition {
  const found = findResource(group, "v1", name);
  if (!found) throw new Error(`no ${group} ${name}`);
  return found;
}

const metadata = {
  name: "web",
  namespace: "default",
  uid: "u",
  resourceVersion: "7",
  creationTimestamp: "2026-01-01T00:00:00Z",
  labels: { kept: "out" },
};

describe("the Scale of a workload", () => {
  it("names the object, its replicas and its selector as a query", () => {
    const selector = { matchLabels: { app: "web" }, matchExpressions: [{ key: "tier", operator: "In", values: ["b", "a"] }] };
    const deployment = { kind: "Deployment", apiVersion: "apps/v1", metadata, spec: { replicas: 3, selector }, status: { replicas: 2 } };
    const { labels: _, ...shown } = metadata;
    expect(scaleOf(resource("apps", "deployments"), deployment)).toEqual({
      kind: "Scale",
      apiVersion: "autoscaling/v1",
      metadata: shown,
      spec: { replicas: 3 },
      status: { replicas: 2, selector: "app=web,tier in (a,b)" },
    });
  });

  it("reads a ReplicationController's selector, which is a map", () => {
    const rc = { metadata: { name: "rc" }, spec: { replicas: 0, selector: { b: "2", a: "1" } } };
    expect(scaleOf(resource("", "replicationcontrollers"), rc)).toMatchObject({ spec: {}, status: { replicas: 0, selector: "a=1,b=2" } });
  });

  it("changes the replicas and leaves the object that it was given", () => {
    const given = { metadata: { name: "rc" }, spec: { replicas: 1, selector: { a: "1" } } };
    expect(withReplicas(resource("", "replicationcontrollers"), given, 5)).toEqual({
      metadata: { name: "rc" },
      spec: { replicas: 5, selector: { a: "1" } },
    });
    expect(given.spec.replicas).toBe(1);
  });
});
