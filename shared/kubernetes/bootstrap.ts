import { z } from "zod";
import { readFacts } from "./facts.ts";
import { matchesSelector } from "./label-selector.ts";
import type { KubernetesObject, ObjectKey } from "./object.ts";
import { findKind } from "./resources.ts";
import type { ClusterRole, IPAddress, ManagedFieldsEntry, PolicyRule, Service, ServiceAccount, ServiceCIDR } from "./types.ts";

export interface BootstrapOptions {
  /** The range of cluster IPs, `10.96.0.0/12`. */
  readonly serviceCidr: string;
  /** The cluster IP of the `kubernetes` Service: the first address of the range. */
  readonly apiServerAddress: string;
}

export interface BootstrapObject {
  readonly key: ObjectKey;
  /** In its storage version, frozen, without uid, resourceVersion and times: those are each cluster's own. */
  readonly object: KubernetesObject;
}

const anyObject = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
});

/** Who set what in a namespace that kube-apiserver made. The time is the cluster's own. */
const namespaceFields: ManagedFieldsEntry = {
  manager: "kube-apiserver",
  operation: "Update",
  apiVersion: "v1",
  fieldsType: "FieldsV1",
  fieldsV1: { "f:metadata": { "f:labels": { ".": {}, "f:kubernetes.io/metadata.name": {} } } },
};

/** Computed, or of no use here: health of components that do not exist, and when a kube-apiserver began to count old tokens. */
const leftOut = new Set(["ComponentStatus", "ConfigMap"]);

/**
 * What every cluster contains from its first moment: the namespaces with their default ServiceAccounts, the default RBAC roles (the
 * aggregated ones already with their rules), priority classes, flow schemas, APIServices, the service range and the `kubernetes`
 * Service with its address. The same options give the same objects, in the same order. To be kept by the caller: every call reads the facts.
 */
export function bootstrapObjects(options: BootstrapOptions): readonly BootstrapObject[] {
  const published = z.array(anyObject).parse(readFacts("bootstrap-objects"));
  const objects: KubernetesObject[] = published.filter(({ kind }) => !leftOut.has(kind)) as KubernetesObject[];
  const namespaces = objects.filter(({ kind }) => kind === "Namespace").map(({ metadata }) => metadata.name ?? "");
  place(objects, options);
  for (const object of objects) if (object.kind === "Namespace") object.metadata.managedFields = [namespaceFields];
  aggregate(objects.filter(({ kind }) => kind === "ClusterRole") as ClusterRole[]);
  return [...objects, ...namespaces.map(defaultServiceAccount), apiServerIpAddress(options.apiServerAddress)].map((object) => ({
    key: keyOf(object),
    object: freeze(object),
  }));
}

function place(objects: readonly KubernetesObject[], { serviceCidr, apiServerAddress }: BootstrapOptions): void {
  for (const object of objects) {
    if (object.kind === "ServiceCIDR") Object.assign((object as ServiceCIDR).spec ?? {}, { cidrs: [serviceCidr] });
    if (object.kind !== "Service") continue;
    const { spec } = object as Service;
    if (!spec) continue;
    Object.assign(spec, { clusterIP: apiServerAddress, clusterIPs: [apiServerAddress] });
    for (const port of spec.ports ?? []) port.targetPort = port.port;
  }
}

/**
 * Fills the rules of aggregated roles, as kube-controller-manager's clusterrole-aggregation-controller does: those of every role that is
 * selected, by name, each once. An aggregated role may select another, so it goes on until nothing changes.
 */
function aggregate(roles: readonly ClusterRole[]): void {
  const byName = [...roles].sort((a, b) => ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1));
  const aggregated = roles.filter(({ aggregationRule }) => aggregationRule !== undefined);
  for (let changed = true; changed; ) {
    changed = false;
    for (const role of aggregated) {
      const rules = aggregatedRules(role, byName);
      if (rules.length === (role.rules ?? []).length) continue;
      role.rules = rules;
      changed = true;
    }
  }
}

function aggregatedRules(role: ClusterRole, roles: readonly ClusterRole[]): PolicyRule[] {
  const rules = new Map<string, PolicyRule>();
  for (const selector of role.aggregationRule?.clusterRoleSelectors ?? []) {
    for (const other of roles) {
      if (other === role || !matchesSelector(selector, other.metadata.labels)) continue;
      for (const rule of other.rules ?? []) rules.set(JSON.stringify(rule), rule);
    }
  }
  return [...rules.values()];
}

function defaultServiceAccount(namespace: string): ServiceAccount {
  return { kind: "ServiceAccount", apiVersion: "v1", metadata: { name: "default", namespace } };
}

function apiServerIpAddress(address: string): IPAddress {
  return {
    kind: "IPAddress",
    apiVersion: "networking.k8s.io/v1",
    metadata: {
      name: address,
      labels: { "ipaddress.kubernetes.io/ip-family": "IPv4", "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io" },
    },
    spec: { parentRef: { resource: "services", namespace: "default", name: "kubernetes" } },
  };
}

function keyOf({ apiVersion = "", kind = "", metadata }: KubernetesObject): ObjectKey {
  const resource = findKind(apiVersion, kind);
  if (!resource) throw new Error(`the bootstrap objects hold a kind that is not served: ${apiVersion} ${kind}`);
  return { group: resource.group, resource: resource.resource, namespace: metadata.namespace ?? "", name: metadata.name ?? "" };
}

function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) freeze(part);
  return Object.freeze(value);
}
