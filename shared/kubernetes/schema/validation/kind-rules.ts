import type { StatusCause } from "../../status-error.ts";
import type { JsonObject } from "../schema-node.ts";
import type { NameRule } from "./object-meta.ts";

/** The rules of one kind beyond its types. Each function answers every problem it finds, in Kubernetes' order. */
export interface KindRules {
  readonly name: NameRule;
  readonly namespaced: boolean;
  /** Rules that hold for an object by itself, on create. */
  readonly create?: (object: JsonObject) => StatusCause[];
  /** Rules for a new state of an object, in place of `create` where both are given. */
  readonly update?: (next: JsonObject, live: JsonObject) => StatusCause[];
  /** Rules for a new state written through the status subresource. */
  readonly status?: (next: JsonObject, live: JsonObject) => StatusCause[];
}

export function rulesOf(_group: string, _version: string, _kind: string): KindRules {
  return { name: "dnsSubdomain", namespaced: true };
}
