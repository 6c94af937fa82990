import { readFileSync } from "node:fs";

/** What a kube-apiserver 1.33 publishes, kept as data beside this file. */
export type FactsName =
  | "bootstrap-objects"
  | "column-descriptions"
  | "columns"
  | "discovery"
  | "field-selectors"
  | "go-types"
  | "protobuf"
  | "schemas";

/**
 * Reads one file of facts. Every call reads and parses anew: callers keep what they made of it. This is the only place that
 * knows where facts lie, so that a bundle can put another in its stead.
 */
export function readFacts(name: FactsName): unknown {
  return JSON.parse(readFileSync(new URL(`./facts/${name}.json`, import.meta.url), "utf8"));
}

/** Calls `make` at the first use and answers its value ever after. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
