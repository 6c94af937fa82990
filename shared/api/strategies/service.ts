import { deepEqual } from "../../kubernetes/deep-equal.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import { invalidStatus } from "../../kubernetes/schema/invalid.ts";
import { fillFamilies } from "../../kubernetes/schema/validation/service-families.ts";
import type { Service, ServiceSpec } from "../../kubernetes/types.ts";
import type { Body } from "../strategy.ts";

/**
 * A changed Service keeps what it was given and the client does not repeat, and gives up what its new type does not have
 * (pkg/registry/core/service `patchAllocatedValues`, `dropTypeDependentFields`). @throws StatusError `Invalid`
 */
export function prepareServiceUpdate(next: Body, live: Body): void {
  const [object, old]: KubernetesObject[] = [next, live];
  const { spec } = object as Service;
  const before = (old as Service).spec;
  if (spec === undefined || before === undefined) return;
  dropForType(spec, before);
  if (spec.type !== "LoadBalancer") next.status = { ...next.status, loadBalancer: {} };
  if (spec.type !== "ExternalName" && before.type !== "ExternalName") keepAllocated(spec, before);
  const problems = fillFamilies(spec, before);
  if (problems.length > 0) throw invalidStatus("Service", "", next.metadata.name ?? "", problems);
}

function keepAllocated(spec: ServiceSpec, before: ServiceSpec): void {
  if (spec.clusterIP === undefined && before.clusterIP !== undefined) spec.clusterIP = before.clusterIP;
  // `NormalizeClusterIPs`: who changes the one means the other too.
  if (spec.clusterIP !== undefined && spec.clusterIP !== before.clusterIP && deepEqual(spec.clusterIPs, before.clusterIPs)) {
    spec.clusterIPs = [spec.clusterIP];
  }
  if (spec.clusterIPs === undefined && before.clusterIPs !== undefined && spec.clusterIP === before.clusterIP)
    spec.clusterIPs = before.clusterIPs;
  if (spec.ipFamilies === undefined && before.ipFamilies !== undefined) spec.ipFamilies = before.ipFamilies;
  if (spec.ipFamilyPolicy === undefined && before.ipFamilyPolicy !== undefined) spec.ipFamilyPolicy = before.ipFamilyPolicy;
  if (spec.type === before.type && before.healthCheckNodePort !== undefined) spec.healthCheckNodePort ??= before.healthCheckNodePort;
  if (!hasNodePorts(spec)) return;
  for (const port of spec.ports ?? []) {
    const same = before.ports?.find((other) => other.port === port.port && (other.protocol ?? "TCP") === (port.protocol ?? "TCP"));
    if (same?.nodePort !== undefined) port.nodePort ??= same.nodePort;
  }
}

const hasNodePorts = ({ type }: ServiceSpec): boolean => type === "NodePort" || type === "LoadBalancer";
const hasHealthCheck = ({ type, externalTrafficPolicy }: ServiceSpec): boolean =>
  type === "LoadBalancer" && externalTrafficPolicy === "Local";
const isReached = (spec: ServiceSpec): boolean => hasNodePorts(spec) || (spec.type === "ClusterIP" && (spec.externalIPs?.length ?? 0) > 0);
const nodePortsOf = ({ ports }: ServiceSpec): unknown => (ports ?? []).map(({ nodePort }) => nodePort ?? 0);

/** What the client changed as well stays, to be refused by validation. */
function dropForType(spec: ServiceSpec, before: ServiceSpec): void {
  const drop = (...fields: readonly (keyof ServiceSpec)[]): void => {
    for (const field of fields) if (spec[field] !== undefined && deepEqual(spec[field], before[field])) delete spec[field];
  };
  if (before.type !== "ExternalName" && spec.type === "ExternalName")
    drop("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy");
  if (hasNodePorts(before) && !hasNodePorts(spec) && deepEqual(nodePortsOf(spec), nodePortsOf(before)))
    for (const port of spec.ports ?? []) delete port.nodePort;
  if (hasHealthCheck(before) && !hasHealthCheck(spec)) drop("healthCheckNodePort");
  if (before.type === "LoadBalancer" && spec.type !== "LoadBalancer") drop("allocateLoadBalancerNodePorts", "loadBalancerClass");
  if (isReached(before) && !isReached(spec)) drop("externalTrafficPolicy");
}
