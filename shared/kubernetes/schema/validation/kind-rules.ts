import type { StatusCause } from "../../status-error.ts";
import type { JsonObject } from "../schema-node.ts";
import type { NameRule } from "./object-meta.ts";

/** The rules of one kind beyond its types. Each function answers every problem it finds, in Kubernetes' order. */
export interface KindRules {
  /** What names look like; undefined for kinds that are never stored and need no name (reviews, bindings, options). */
  readonly name: NameRule | undefined;
  readonly namespaced: boolean;
  /** Rules that hold for an object by itself, on create. */
  readonly create?: (object: JsonObject) => StatusCause[];
  /** Rules for a new state of an object; `create` where there are none. */
  readonly update?: (next: JsonObject, live: JsonObject) => StatusCause[];
  /** Rules for a new state written through the status subresource. */
  readonly status?: (next: JsonObject, live: JsonObject) => StatusCause[];
}

/** A kind's rules without its scope, under `group/Kind` or, where versions differ, `group/version/Kind`. */
export type KindEntry = readonly [kind: string, rules: Partial<Omit<KindRules, "namespaced">>];

interface TypedRules<T> {
  readonly name?: NameRule;
  readonly create?: (object: T) => StatusCause[];
  readonly update?: (next: T, live: T) => StatusCause[];
  readonly status?: (next: T, live: T) => StatusCause[];
}

/** Ties rules over typed objects to a kind: the schema is what guarantees the type. */
export function rules<T extends object>(kind: string, typed: TypedRules<T>): KindEntry {
  const { name, create, update, status } = typed;
  return [
    kind,
    {
      ...(name !== undefined && { name }),
      ...(create !== undefined && { create: (object: unknown) => create(object as T) }),
      ...(update !== undefined && { update: (next: unknown, live: unknown) => update(next as T, live as T) }),
      ...(status !== undefined && { status: (next: unknown, live: unknown) => status(next as T, live as T) }),
    },
  ];
}
