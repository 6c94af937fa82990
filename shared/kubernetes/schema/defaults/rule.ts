import type { SetDefaults } from "../apply-defaults.ts";

/** One type's defaults: its component name in the OpenAPI document, and the function that sets them. */
export type DefaultRule = readonly [component: string, set: SetDefaults];

/** Ties a function over a typed object to the component it is for: the schema is what guarantees the type. */
export function rule<T extends object>(component: string, set: (value: T) => void): DefaultRule {
  return [component, (value: unknown) => set(value as T)];
}
