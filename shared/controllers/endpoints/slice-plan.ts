import { deepEqual } from "../../kubernetes/deep-equal.ts";
import type { DiscoveryV1EndpointPort, Endpoint, EndpointSlice } from "../../kubernetes/types.ts";

/** Endpoints that offer the same ports, by `endpointKey`. */
export interface EndpointGroup {
  readonly ports: readonly DiscoveryV1EndpointPort[];
  readonly endpoints: ReadonlyMap<string, Endpoint>;
}

/** What to write. `update` and `create` are whole objects; an updated one carries the resource version it was made from. */
export interface SlicePlan {
  readonly create: EndpointSlice[];
  readonly update: EndpointSlice[];
  readonly remove: EndpointSlice[];
}

/** kube-controller-manager's `--max-endpoints-per-slice`. */
export const endpointsPerSlice = 100;

/** What makes an endpoint the same one although its state changed. */
export function endpointKey({ addresses, hostname, targetRef }: Endpoint): string {
  return JSON.stringify([[...addresses].sort(), hostname ?? "", targetRef?.namespace ?? "", targetRef?.name ?? ""]);
}

export function portsKey(ports: readonly DiscoveryV1EndpointPort[]): string {
  return JSON.stringify(
    ports.map(({ name, port, protocol, appProtocol }) => [name ?? "", port, protocol ?? "TCP", appProtocol ?? ""]).sort(),
  );
}

interface Draft {
  readonly before: EndpointSlice | undefined;
  readonly endpoints: Endpoint[];
  isChanged: boolean;
}

/**
 * The fewest writes that make the slices of one address type hold these groups: an endpoint stays in its slice; slices that change anyway are filled first, then
 * one that just has the room; only what is left gets slices of its own, and emptied slices are used again
 * (`reconcileByPortMapping` of k8s.io/endpointslice). `blank` makes an empty slice with the labels that all of them shall have.
 */
export function planSlices(
  existing: readonly EndpointSlice[],
  groups: readonly EndpointGroup[],
  blank: (ports: readonly DiscoveryV1EndpointPort[]) => EndpointSlice,
): SlicePlan {
  const byPorts = new Map<string, EndpointSlice[]>();
  for (const slice of existing) {
    const key = portsKey(slice.ports ?? []);
    const same = byPorts.get(key);
    if (same) same.push(slice);
    else byPorts.set(key, [slice]);
  }
  const create: EndpointSlice[] = [];
  const update: EndpointSlice[] = [];
  const remove: EndpointSlice[] = [];
  for (const group of groups) {
    const key = portsKey(group.ports);
    const template = blank(group.ports);
    for (const draft of draftGroup(byPorts.get(key) ?? [], group, template)) {
      const { before, endpoints, isChanged } = draft;
      if (!before) create.push({ ...template, endpoints });
      else if (endpoints.length === 0) remove.push(before);
      else if (isChanged) update.push(revised(before, template, endpoints));
    }
    byPorts.delete(key);
  }
  for (const slices of byPorts.values()) remove.push(...slices);
  return withPlaceholder(reusing({ create, update, remove }), existing, blank([]));
}

function draftGroup(slices: readonly EndpointSlice[], { endpoints }: EndpointGroup, template: EndpointSlice): Draft[] {
  const missing = new Map(endpoints);
  const drafts = slices.map((before): Draft => {
    const kept: Endpoint[] = [];
    let isChanged = !isLabelledAs(before, template);
    for (const endpoint of before.endpoints ?? []) {
      const key = endpointKey(endpoint);
      const wanted = missing.get(key);
      missing.delete(key);
      if (wanted) kept.push(wanted);
      if (!wanted || !deepEqual(wanted, endpoint)) isChanged = true;
    }
    return { before, endpoints: kept, isChanged };
  });
  const left = [...missing.values()];
  const fill = (draft: Draft): void => {
    draft.endpoints.push(...left.splice(0, endpointsPerSlice - draft.endpoints.length));
    draft.isChanged = true;
  };
  const changing = drafts.filter(({ isChanged, endpoints }) => isChanged && endpoints.length > 0);
  for (const draft of changing.sort((a, b) => b.endpoints.length - a.endpoints.length)) if (left.length > 0) fill(draft);
  while (left.length > 0) {
    const fitting = drafts
      .filter((draft) => !draft.isChanged && draft.endpoints.length + left.length <= endpointsPerSlice)
      .sort((a, b) => b.endpoints.length - a.endpoints.length)[0];
    const draft = fitting ?? { before: undefined, endpoints: [], isChanged: true };
    if (!fitting) drafts.push(draft);
    fill(draft);
  }
  return drafts;
}

function isLabelledAs(slice: EndpointSlice, template: EndpointSlice): boolean {
  const { labels, annotations } = template.metadata;
  return deepEqual(slice.metadata.labels ?? {}, labels ?? {}) && (!annotations || deepEqual(slice.metadata.annotations ?? {}, annotations));
}

function revised(before: EndpointSlice, template: EndpointSlice, endpoints: Endpoint[]): EndpointSlice {
  const { labels, annotations, ownerReferences } = template.metadata;
  const metadata = {
    ...before.metadata,
    ...(labels && { labels }),
    ...(annotations && { annotations }),
    ...(ownerReferences && { ownerReferences }),
  };
  return { ...before, metadata, ports: [...(template.ports ?? [])], endpoints };
}

/** A slice that would go takes what would need a new one. */
function reusing({ create, update, remove }: SlicePlan): SlicePlan {
  const count = Math.min(create.length, remove.length);
  const reused = remove.slice(0, count).flatMap((before, i) => {
    const wanted = create[i];
    return wanted ? [revised(before, wanted, wanted.endpoints ?? [])] : [];
  });
  return { create: create.slice(count), update: [...update, ...reused], remove: remove.slice(count) };
}

/** Without any endpoint one empty slice stands, so that consumers see that there are none. */
function withPlaceholder({ create, update, remove }: SlicePlan, existing: readonly EndpointSlice[], placeholder: EndpointSlice): SlicePlan {
  if (create.length > 0 || remove.length < existing.length) return { create, update, remove };
  const [first, ...others] = remove;
  if (!first) return { create: [placeholder], update, remove };
  const isOne = (first.endpoints ?? []).length === 0 && (first.ports ?? []).length === 0 && isLabelledAs(first, placeholder);
  return { create, update: isOne ? update : [...update, revised(first, placeholder, [])], remove: others };
}
