import { describe, expect, it } from "vitest";
import { bootstrapObjects } from "../../../shared/kubernetes/bootstrap.ts";
import type { ClusterRole } from "../../../shared/kubernetes/types.ts";

const options = { serviceCidr: "10.96.0.0/12", apiServerAddress: "10.96.0.1" };
const objects = bootstrapObjects(options);

function find(resource: string, name: string, namespace = "") {
  return objects.find(({ key }) => key.resource === resource && key.name === name && key.namespace === namespace)?.object;
}

describe("what a new cluster contains", () => {
  it("is what a kube-apiserver makes, with the default accounts and the address of the API", () => {
    const counts = Object.entries(Object.groupBy(objects, ({ key }) => key.resource)).map(([resource, all]) => [resource, all?.length]);
    expect(Object.fromEntries(counts)).toEqual({
      namespaces: 4,
      services: 1,
      apiservices: 20,
      servicecidrs: 1,
      clusterrolebindings: 47,
      clusterroles: 66,
      rolebindings: 7,
      roles: 7,
      priorityclasses: 2,
      flowschemas: 13,
      prioritylevelconfigurations: 8,
      serviceaccounts: 4,
      ipaddresses: 1,
    });
  });

  it("has a key of its own for every object", () => {
    const keys = objects.map(({ key }) => `${key.group}/${key.resource}/${key.namespace}/${key.name}`);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("lies in the service range that was asked for", () => {
    expect(find("services", "kubernetes", "default")).toMatchObject({
      spec: { clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.1"], ports: [{ name: "https", port: 443, targetPort: 443 }] },
    });
    expect(find("servicecidrs", "kubernetes")).toMatchObject({ spec: { cidrs: ["10.96.0.0/12"] } });
    expect(find("ipaddresses", "10.96.0.1")).toMatchObject({ spec: { parentRef: { resource: "services", name: "kubernetes" } } });
  });

  it("gives the aggregated roles their rules, those of roles they aggregate in turn included", () => {
    const rules = (name: string) => (find("clusterroles", name) as ClusterRole | undefined)?.rules ?? [];
    const allows = (name: string, verb: string, resource: string) =>
      rules(name).some(({ verbs, resources }) => verbs.includes(verb) && resources?.includes(resource));
    expect(allows("view", "list", "pods")).toBe(true);
    expect(allows("view", "get", "secrets")).toBe(false);
    expect(allows("edit", "create", "pods")).toBe(true);
    expect(allows("edit", "list", "pods")).toBe(true);
    expect(allows("admin", "create", "rolebindings")).toBe(true);
    expect(allows("admin", "create", "pods")).toBe(true);
  });

  it("cannot be changed and is the same every time", () => {
    expect(objects.every(({ object }) => Object.isFrozen(object) && Object.isFrozen(object.metadata))).toBe(true);
    expect(bootstrapObjects(options)).toEqual(objects);
  });
});
