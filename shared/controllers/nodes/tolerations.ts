import type { Pod, Taint, Toleration } from "../../kubernetes/types.ts";

/** `v1.Toleration.ToleratesTaint` */
function tolerates({ key, operator = "Equal", value = "", effect }: Toleration, taint: Taint): boolean {
  if (effect !== undefined && effect !== taint.effect) return false;
  if (key !== undefined && key !== "" && key !== taint.key) return false;
  return operator === "Exists" || value === (taint.value ?? "");
}

/**
 * For how many seconds a pod stands these taints: the least `tolerationSeconds` of the tolerations that it needs for them, 0 when one of
 * them is not tolerated at all, undefined when all are for good.
 */
export function toleratedSeconds({ spec }: Pod, taints: readonly Taint[]): number | undefined {
  const used: Toleration[] = [];
  for (const taint of taints) {
    const toleration = spec?.tolerations?.find((each) => tolerates(each, taint));
    if (!toleration) return 0;
    used.push(toleration);
  }
  const limits = used.map(({ tolerationSeconds }) => tolerationSeconds).filter((each) => each !== undefined);
  return limits.length === 0 ? undefined : Math.max(0, Math.min(...limits));
}
