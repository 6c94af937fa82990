/** A deep copy of a JSON value; several times as fast as `structuredClone`, which also handles what JSON cannot hold. */
export function cloneJson<T>(value: T): T {
  return copy(value) as T;
}

function copy(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = new Array<unknown>(value.length);
    for (let i = 0; i < value.length; i++) items[i] = copy(value[i]);
    return items;
  }
  const source = value as Record<string, unknown>;
  const target: Record<string, unknown> = {};
  for (const name in source) target[name] = copy(source[name]);
  return target;
}
