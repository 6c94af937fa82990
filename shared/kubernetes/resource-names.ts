import { isQualifiedName } from "./names.ts";

/** Whether a resource is Kubernetes' own rather than extended (`helper.IsNativeResource`). */
export function isNativeResource(name: string): boolean {
  return !name.includes("/") || name.includes("kubernetes.io/");
}

export function isExtendedResource(name: string): boolean {
  return !isNativeResource(name) && !name.startsWith("requests.") && isQualifiedName(`requests.${name}`) === undefined;
}
