import type { KubernetesObject } from "./object.ts";

/** The name of the newest object that one of the annotations marks as the default; of those made in the same second the first by name. */
export function newestDefault(
  classes: readonly { readonly object: KubernetesObject }[],
  annotations: readonly string[],
): string | undefined {
  let newest: KubernetesObject["metadata"] | undefined;
  for (const { object } of classes) {
    const { metadata } = object;
    if (!annotations.some((annotation) => metadata.annotations?.[annotation] === "true")) continue;
    const [made, best] = [metadata.creationTimestamp ?? "", newest?.creationTimestamp ?? ""];
    if (!newest || made > best || (made === best && (metadata.name ?? "") < (newest.name ?? ""))) newest = metadata;
  }
  return newest?.name;
}
