const alphabet = "bcdfghjklmnpqrstvwxz2456789";
const encoder = new TextEncoder();

/** FNV-1a over the UTF-8 bytes, as an unsigned 32-bit number. `seed` continues an earlier hash. */
export function fnv1a32(text: string | Uint8Array, seed = 0x811c9dc5): number {
  const bytes = typeof text === "string" ? encoder.encode(text) : text;
  let hash = seed;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Each character replaced by a safe one, so that no hash spells a word (apimachinery `rand.SafeEncodeString`). */
export function safeEncodeString(text: string): string {
  let encoded = "";
  for (const character of text) encoded += alphabet.charAt((character.codePointAt(0) ?? 0) % alphabet.length);
  return encoded;
}

/**
 * The hash a controller names the children of a template by (`pod-template-hash`, `controller-revision-hash`). Equal templates, whatever
 * the order of their properties, have equal hashes; `collisionCount` gives another one. kube-controller-manager hashes Go's dump of the
 * template, so the values differ from its own, their form does not.
 */
export function templateHash(template: unknown, collisionCount?: number): string {
  const hash = fnv1a32(canonicalText(template));
  return safeEncodeString(String(collisionCount === undefined ? hash : fnv1a32(`#${collisionCount}`, hash)));
}

/** JSON with sorted keys, without absent properties: as Go encodes a map. */
export function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const object = value as Readonly<Record<string, unknown>>;
  const properties: string[] = [];
  for (const name of Object.keys(object).sort()) {
    if (object[name] !== undefined) properties.push(`${JSON.stringify(name)}:${canonicalText(object[name])}`);
  }
  return `{${properties.join(",")}}`;
}
