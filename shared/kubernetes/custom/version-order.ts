const shape = /^v(\d+)(?:(alpha|beta)(\d+))?$/;
const stages: Readonly<Record<string, number>> = { alpha: 1, beta: 2 };

/** Versions as Kubernetes prefers them: `v2` before `v1` before `v1beta2` before `v1alpha1`, then everything else by name (apimachinery `version.CompareKubeAwareVersionStrings`). */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [shape.exec(a), shape.exec(b)];
  if (!left || !right) return left ? -1 : right ? 1 : a < b ? -1 : a > b ? 1 : 0;
  const rank = (match: RegExpExecArray): number[] => [stages[match[2] ?? ""] ?? 3, Number(match[1]), Number(match[3] ?? 0)];
  const [ranked, other] = [rank(left), rank(right)];
  for (let at = 0; at < ranked.length; at++) {
    const difference = (other[at] ?? 0) - (ranked[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
