import { describe, expect, it } from "vitest";
import { createCustomResourceDefinitionController } from "../../../shared/controllers/custom-resource-definition.ts";
import { cleanupFinalizer } from "../../../shared/kubernetes/custom/cleanup-finalizer.ts";
import { customResourceDefinitions } from "../../../shared/kubernetes/known-resources.ts";
import type { CustomResourceDefinition } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { runControllers } from "./run-controllers.ts";

const definition = (plural: string, kind: string, more: object = {}): CustomResourceDefinition => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${plural}.example.com`, ...more },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
    versions: [{ name: "v1", served: true, storage: true }],
  },
});

async function start(...definitions: CustomResourceDefinition[]) {
  const cluster = createFakeCluster();
  for (const one of definitions) await cluster.client.create(customResourceDefinitions, one);
  const controllers = await runControllers(cluster, createCustomResourceDefinitionController());
  const get = (plural: string) => cluster.get<CustomResourceDefinition>(customResourceDefinitions, "", `${plural}.example.com`);
  const conditions = (plural: string) =>
    Object.fromEntries((get(plural)?.status?.conditions ?? []).map(({ type, status, reason }) => [type, `${status} ${reason}`]));
  return { cluster, controllers, get, conditions };
}

describe("custom resource definitions", () => {
  it("are established under the names that they asked for", async () => {
    const { get, conditions } = await start(definition("boats", "Boat"));
    expect(get("boats")?.status?.acceptedNames).toEqual({ plural: "boats", singular: "boat", kind: "Boat", listKind: "BoatList" });
    expect(conditions("boats")).toEqual({ NamesAccepted: "True NoConflicts", Established: "True InitialNamesAccepted" });
  });

  it("wait for names that another has, and get them when it has gone", async () => {
    const { cluster, controllers, conditions } = await start(definition("boats", "Boat"), definition("ships", "Boat"));
    expect(conditions("ships")).toEqual({ NamesAccepted: "False ListKindConflict", Established: "False NotAccepted" });
    await cluster.client.delete(customResourceDefinitions, "", "boats.example.com");
    await controllers.settle();
    expect(conditions("ships")).toEqual({ NamesAccepted: "True NoConflicts", Established: "True InitialNamesAccepted" });
  });

  it("go when they are deleted and nothing of them is left", async () => {
    const { cluster, controllers, get } = await start(definition("boats", "Boat", { finalizers: [cleanupFinalizer] }));
    await cluster.client.delete(customResourceDefinitions, "", "boats.example.com");
    await controllers.settle();
    expect(get("boats")).toBeUndefined();
  });
});
