import { deepEqual } from "../../kubernetes/deep-equal.ts";
import { appArmorPrefix, checkAppArmor } from "../../kubernetes/schema/validation/profiles.ts";
import { visitContainers } from "../../kubernetes/schema/validation/visit-containers.ts";
import type { AppArmorProfile, Pod, PodAffinityTerm } from "../../kubernetes/types.ts";

/** `matchLabelKeys` and `mismatchLabelKeys` become requirements with the values that the pod's own labels have (KEP-3633). */
export function applyMatchLabelKeys({ metadata, spec }: Pod): void {
  const { labels } = metadata;
  if (spec?.affinity === undefined || labels === undefined) return;
  const apply = (term: PodAffinityTerm | undefined): void => {
    const selector = term?.labelSelector;
    if (selector === undefined) return;
    const add = (keys: readonly string[], operator: "In" | "NotIn"): void => {
      for (const key of keys) {
        const value = labels[key];
        if (value !== undefined) selector.matchExpressions = [...(selector.matchExpressions ?? []), { key, operator, values: [value] }];
      }
    };
    add(term?.matchLabelKeys ?? [], "In");
    add(term?.mismatchLabelKeys ?? [], "NotIn");
  };
  for (const affinity of [spec.affinity.podAffinity, spec.affinity.podAntiAffinity]) {
    for (const { podAffinityTerm } of affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) apply(podAffinityTerm);
    for (const term of affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) apply(term);
  }
}

/** A pod says its AppArmor profiles by annotation and by field: what is said one way is said the other too (KEP-24, version skew). */
export function syncAppArmor(pod: Pod, warn: (text: string) => void): void {
  const { metadata, spec } = pod;
  if (spec === undefined || spec.os?.name === "windows") return;
  const podProfile = spec.securityContext?.appArmorProfile;
  for (const [container] of visitContainers(spec, "")) {
    const key = `${appArmorPrefix}${container.name}`;
    const annotation = metadata.annotations?.[key];
    const profile = container.securityContext?.appArmorProfile;
    if (annotation === undefined) {
      const text = annotationOf(profile ?? podProfile);
      if (text !== "") metadata.annotations = { ...metadata.annotations, [key]: text };
    } else if (profile === undefined) {
      const named = profileOf(annotation);
      const field = checkAppArmor(named, "").length === 0 ? named : undefined;
      const differs = field !== undefined && !deepEqual(field, podProfile);
      if (differs) container.securityContext = { ...container.securityContext, appArmorProfile: field };
      if (differs || field === undefined)
        warn(`metadata.annotations[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`);
    }
  }
}

function annotationOf(profile: AppArmorProfile | undefined): string {
  if (profile?.type === "Unconfined") return "unconfined";
  if (profile?.type === "RuntimeDefault") return "runtime/default";
  return profile?.type === "Localhost" && profile.localhostProfile !== undefined ? `localhost/${profile.localhostProfile}` : "";
}

function profileOf(annotation: string): AppArmorProfile | undefined {
  if (annotation === "unconfined") return { type: "Unconfined" };
  if (annotation === "runtime/default") return { type: "RuntimeDefault" };
  if (!annotation.startsWith("localhost/") || annotation === "localhost/") return undefined;
  return { type: "Localhost", localhostProfile: annotation.slice("localhost/".length) };
}
