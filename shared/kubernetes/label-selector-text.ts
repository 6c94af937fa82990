import type { LabelSelector } from "./types.ts";

/** A label selector in the form of a query, its requirements ordered by key; empty for an absent or empty one. */
export function selectorString(selector: LabelSelector | undefined): string {
  const requirements = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => ({ key, text: `${key}=${value}` }));
  for (const { key, operator, values = [] } of selector?.matchExpressions ?? []) {
    const list = `(${[...values].sort().join(",")})`;
    const text =
      operator === "Exists" ? key : operator === "DoesNotExist" ? `!${key}` : `${key} ${operator === "In" ? "in" : "notin"} ${list}`;
    requirements.push({ key, text });
  }
  return requirements
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ text }) => text)
    .join(",");
}
