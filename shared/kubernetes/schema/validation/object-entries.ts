import type { KindEntry } from "./kind-rules.ts";

/** The rules of all other kinds. */
export const objectEntries: readonly KindEntry[] = [];
