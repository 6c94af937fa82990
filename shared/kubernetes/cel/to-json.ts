import { durationToText, timestampToText } from "./library/time-text.ts";
import { type CelValue, Duration, ListValue, MapValue, ObjectValue, Timestamp, Uint } from "./value.ts";

/** A value as JSON, the inverse of `fromJson`. @throws NoJson */
export function toJson(value: CelValue | undefined): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "object") return value;
  if (value instanceof Uint) return Number(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Timestamp) return timestampToText(value);
  if (value instanceof Duration) return durationToText(value);
  if (value instanceof ListValue) return [...value].map(toJson);
  if (value instanceof MapValue) return Object.fromEntries(value.keys().map((key) => [keyText(key), toJson(value.get(key))]));
  if (value instanceof ObjectValue) return fieldsToJson(value);
  throw new NoJson("unsupported native conversion");
}

/** What keeps a value from being JSON. */
export class NoJson extends Error {}

function fieldsToJson(value: ObjectValue): Record<string, unknown> {
  const entries: [string, unknown][] = [];
  for (const name of value.fieldNames()) {
    const field = value.field(name);
    if (field !== undefined) entries.push([value.type.fields?.get(name)?.property ?? name, toJson(field)]);
  }
  return Object.fromEntries(entries);
}

function keyText(key: CelValue): string {
  if (typeof key === "string") return key;
  throw new NoJson(`map key ${JSON.stringify(String(key))} is not a string`);
}
