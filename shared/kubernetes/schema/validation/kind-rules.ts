import type { StatusCause } from "../../status-error.ts";
import type { JsonObject } from "../schema-node.ts";
import type { NameRule } from "./object-meta.ts";

/**
 * What a kind looks at when an object changes, in its order, after the generic registry has looked at the metadata: its metadata and rules
 * as if it were new (`meta`, `create`), what metadata may change (`metaUpdate`), its own rules for changes (`update`). Many kinds of
 * Kubernetes look twice, and each problem is named as often as it is found.
 */
export type UpdateStage = "meta" | "create" | "metaUpdate" | "update";

const judgedApart = ["status", "resize", "ephemeralcontainers"] as const;
/** A subresource whose writes are judged by rules of their own. */
export type JudgedSubresource = (typeof judgedApart)[number];

export const isJudgedApart = (subresource: string | undefined): subresource is JudgedSubresource =>
  judgedApart.some((each) => each === subresource);

/** The rules of one kind beyond its types. Each function answers every problem it finds, in Kubernetes' order. */
export interface KindRules {
  /** What names look like; undefined for kinds that are never stored and need no name (reviews, bindings, options). */
  readonly name: NameRule | undefined;
  readonly namespaced: boolean;
  /** `metaUpdate`, `update` where it is not said. */
  readonly stages?: readonly UpdateStage[];
  /** Metadata are looked at by the generic registry alone: when nothing else is wrong. */
  readonly metadataLast?: boolean;
  /** Rules that hold for an object by itself, on create. */
  readonly create?: (object: JsonObject) => StatusCause[];
  /** Rules for a new state of an object; `create` where there are none. */
  readonly update?: (next: JsonObject, live: JsonObject) => StatusCause[];
  /** Rules for a new state written through the status subresource. */
  readonly status?: (next: JsonObject, live: JsonObject) => StatusCause[];
  /** Rules for a new state written through one of those. */
  readonly resize?: (next: JsonObject, live: JsonObject) => StatusCause[];
  readonly ephemeralcontainers?: (next: JsonObject, live: JsonObject) => StatusCause[];
}

/** A kind's rules without its scope, under `group/Kind` or, where versions differ, `group/version/Kind`. */
export type KindEntry = readonly [kind: string, rules: Partial<Omit<KindRules, "namespaced">>];

interface TypedRules<T> {
  readonly name?: NameRule;
  readonly stages?: readonly UpdateStage[];
  readonly metadataLast?: boolean;
  readonly create?: (object: T) => StatusCause[];
  readonly update?: (next: T, live: T) => StatusCause[];
  readonly status?: (next: T, live: T) => StatusCause[];
  readonly resize?: (next: T, live: T) => StatusCause[];
  readonly ephemeralcontainers?: (next: T, live: T) => StatusCause[];
}

/** Ties rules over typed objects to a kind: the schema is what guarantees the type. */
export function rules<T extends object>(kind: string, typed: TypedRules<T>): KindEntry {
  const { name, stages, metadataLast, create, update, status, resize, ephemeralcontainers } = typed;
  return [
    kind,
    {
      ...(name !== undefined && { name }),
      ...(stages !== undefined && { stages }),
      ...(metadataLast !== undefined && { metadataLast }),
      ...(create !== undefined && { create: (object: unknown) => create(object as T) }),
      ...(update !== undefined && { update: (next: unknown, live: unknown) => update(next as T, live as T) }),
      ...(status !== undefined && { status: (next: unknown, live: unknown) => status(next as T, live as T) }),
      ...(resize !== undefined && { resize: (next: unknown, live: unknown) => resize(next as T, live as T) }),
      ...(ephemeralcontainers !== undefined && {
        ephemeralcontainers: (next: unknown, live: unknown) => ephemeralcontainers(next as T, live as T),
      }),
    },
  ];
}
