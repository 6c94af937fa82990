import { isJsonObject, type JsonObject } from "../schema/schema-node.ts";
import type { FieldSchema } from "./schema-of.ts";

/**
 * One step of a path in the text form of FieldsV1: `f:name` a field, `k:{"name":"main"}` an element of a list by its keys,
 * `v:"x"` one by its value, `i:0` one by its place.
 */
export type FieldElement = string;

/** What stands in JSON as it is. */
const plainText = /^[\w./ :-]*$/;
const fieldCode = "f".charCodeAt(0);
const keyCode = "k".charCodeAt(0);
const valueCode = "v".charCodeAt(0);
const indexCode = "i".charCodeAt(0);
const hasNumber = /":[-0-9]/;

export function fieldElement(name: string): FieldElement {
  return `f:${name}`;
}

/** How an element of a list is told apart; undefined for one that has neither its keys nor defaults for them. */
export function itemElement(schema: FieldSchema, item: unknown): FieldElement | undefined {
  if (schema.type === "set") return typeof item === "object" ? undefined : `v:${scalarText(item)}`;
  if (!isJsonObject(item)) return undefined;
  let text = "";
  for (const key of schema.keys) {
    const value = item[key] ?? schema.items?.property(key)?.default;
    if (value !== undefined) text += `${text === "" ? "" : ","}${scalarText(key)}:${scalarText(value)}`;
  }
  return text === "" ? undefined : `k:{${text}}`;
}

/** The order in which kube-apiserver prints elements: fields, keys, values, places, each ascending. */
export function compareElements(a: FieldElement, b: FieldElement): number {
  const kind = a.charCodeAt(0);
  if (kind !== b.charCodeAt(0)) return rankOf(kind) - rankOf(b.charCodeAt(0));
  if (kind === fieldCode) return compareText(a, b);
  if (kind === indexCode) return Number(a.slice(2)) - Number(b.slice(2));
  if (kind === keyCode && (hasNumber.test(a) || hasNumber.test(b)))
    return compareKeys(parseElement(a), parseElement(b)) || compareText(a, b);
  if (kind === valueCode) return compareScalars(parseElement(a), parseElement(b)) || compareText(a, b);
  return compareText(a, b);
}

/** An element as messages show it: `.spec`, `[name="main"]`, `[="x"]`, `[0]`. */
export function describeElement(element: FieldElement): string {
  if (element.startsWith("f:")) return `.${element.slice(2)}`;
  if (element.startsWith("i:")) return `[${element.slice(2)}]`;
  const value = parseElement(element);
  if (element.startsWith("v:")) return `[=${JSON.stringify(value)}]`;
  const keys = isJsonObject(value) ? Object.keys(value).sort() : [];
  return `[${keys.map((key) => `${key}=${JSON.stringify((value as JsonObject)[key])}`).join(",")}]`;
}

/** The element in the one spelling that this server compares; undefined when it is none. */
export function normalizeElement(element: string): FieldElement | undefined {
  const kind = element.slice(0, 2);
  if (kind === "f:") return element;
  if (kind === "i:") return /^i:[0-9]{1,9}$/.test(element) ? element : undefined;
  if (kind !== "k:" && kind !== "v:") return undefined;
  const value = parseElement(element);
  if (value === undefined) return undefined;
  if (kind === "v:") return `v:${JSON.stringify(value)}`;
  if (!isJsonObject(value)) return undefined;
  const keys = Object.keys(value).sort();
  return keys.length === 0 ? undefined : `k:{${keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(value[key])}`).join(",")}}`;
}

function parseElement(element: FieldElement): unknown {
  try {
    return JSON.parse(element.slice(2));
  } catch {
    return undefined;
  }
}

function rankOf(kind: number): number {
  if (kind === fieldCode) return 1;
  if (kind === keyCode) return 2;
  if (kind === valueCode) return 3;
  return kind === indexCode ? 4 : 0;
}

function scalarText(value: unknown): string {
  return typeof value === "string" && plainText.test(value) ? `"${value}"` : JSON.stringify(value);
}

function compareKeys(a: unknown, b: unknown): number {
  if (!isJsonObject(a) || !isJsonObject(b)) return 0;
  const keysOfB = Object.keys(b);
  const keysOfA = Object.keys(a);
  for (let i = 0; i < keysOfA.length && i < keysOfB.length; i++) {
    const nameOfA = keysOfA[i] ?? "";
    const nameOfB = keysOfB[i] ?? "";
    const order = compareText(nameOfA, nameOfB) || compareScalars(a[nameOfA], b[nameOfB]);
    if (order !== 0) return order;
  }
  return keysOfA.length - keysOfB.length;
}

/** Numbers before strings before the rest. */
function compareScalars(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  if (typeof a === "number" || typeof b === "number") return typeof a === "number" ? -1 : 1;
  if (typeof a === "string" || typeof b === "string") return typeof a === "string" ? -1 : 1;
  return compareText(String(a), String(b));
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
