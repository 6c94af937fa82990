import type { Container, EphemeralContainer, PodSpec } from "../../types.ts";

/** Every container of a pod with its path, in the order in which Kubernetes visits them. */
export function* visitContainers(spec: PodSpec, path: string): Generator<readonly [container: Container | EphemeralContainer, at: string]> {
  for (const field of ["initContainers", "containers", "ephemeralContainers"] as const) {
    const containers: readonly (Container | EphemeralContainer)[] = spec[field] ?? [];
    for (const [index, container] of containers.entries()) yield [container, `${path}.${field}[${index}]`];
  }
}
