import type { Item, NumberMap } from "./table.ts";

/** 0 when absent. */
export function numberAt(item: Item | undefined, attribute: string): number {
  const value = item?.[attribute];
  return typeof value === "number" ? value : 0;
}

/** Empty when absent. */
export function textAt(item: Item | undefined, attribute: string): string {
  const value = item?.[attribute];
  return typeof value === "string" ? value : "";
}

export function bytesAt(item: Item | undefined, attribute: string): Uint8Array | undefined {
  const value = item?.[attribute];
  return value instanceof Uint8Array ? value : undefined;
}

export function setAt(item: Item | undefined, attribute: string): ReadonlySet<string> {
  const value = item?.[attribute];
  return value instanceof Set ? value : new Set();
}

export function numbersAt(item: Item | undefined, attribute: string): NumberMap {
  const value = item?.[attribute];
  if (typeof value !== "object" || value instanceof Set || value instanceof Uint8Array) return {};
  return value as NumberMap;
}
