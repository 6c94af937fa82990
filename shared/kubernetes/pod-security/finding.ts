import type { Container, EphemeralContainer, PodSpec } from "../types.ts";

/** Why a check does not allow a pod: the reason alone for lists of pods, the detail in parentheses for one. */
export interface Finding {
  readonly reason: string;
  readonly detail: string;
}

type AnyContainer = Container | EphemeralContainer;

export const containersOf = (spec: PodSpec): readonly AnyContainer[] => [
  ...(spec.initContainers ?? []),
  ...(spec.containers ?? []),
  ...(spec.ephemeralContainers ?? []),
];

export const quoted = (items: readonly string[]): string => items.map((item) => `"${item}"`).join(", ");
export const plural = (word: string, count: number): string => (count === 1 ? word : `${word}s`);
/** `container "a"`, `containers "a", "b"` */
export const named = (what: string, names: readonly string[]): string => `${plural(what, names.length)} ${quoted(names)}`;
export const sortedSet = (values: Iterable<string>): string[] => [...new Set(values)].sort();

/** Who sets something: the pod itself, and the containers for which it holds. `undefined`: nobody. */
export function setters(podSets: boolean, containers: readonly string[]): string | undefined {
  const parts = [...(podSets ? ["pod"] : []), ...(containers.length > 0 ? [named("container", containers)] : [])];
  return parts.length === 0 ? undefined : parts.join(" and ");
}

export const namesWhere = (spec: PodSpec, holds: (container: AnyContainer) => boolean): string[] =>
  containersOf(spec)
    .filter(holds)
    .map(({ name }) => name);
