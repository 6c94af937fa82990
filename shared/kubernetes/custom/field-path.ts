import type { JSONSchemaProps } from "../types.ts";

/** A place that a schema knows: how errors name it, and the schema there. */
export type FieldPath = { readonly path: string; readonly schema: JSONSchemaProps | undefined } | { readonly problem: string };

const token = /'(?:\\.|[^'\\])*'|[.[\]]|[^.[\]]+/y;
const escapes: Readonly<Record<string, string>> = { a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v", "'": "'", "\\": "\\" };

/** Reads `.spec.replicas` or `.labels['a.b']` against a schema (apiextensions `schema/cel/validation.go`, `ValidFieldPath`). */
export function readFieldPath(text: string, root: JSONSchemaProps, withBrackets = true): FieldPath {
  const tokens: string[] = [];
  for (token.lastIndex = 0; token.lastIndex < text.length; ) {
    const found = token.exec(text)?.[0];
    if (found === undefined) return { problem: "unexpected end of JSON path" };
    tokens.push(found);
  }
  let path = "";
  let schema: JSONSchemaProps | undefined = root;
  for (let at = 0; at < tokens.length; ) {
    const opening = tokens[at++] ?? "";
    let name = tokens[at++];
    if (opening === "[") {
      if (!withBrackets) return { problem: "array notation is not allowed" };
      if (name === undefined) return { problem: "unexpected end of JSON path" };
      if (!/^'.*'$/s.test(name) || name.length < 2) return { problem: `expected single quoted string but got ${name}` };
      const plainName = unescaped(name.slice(1, -1));
      if (plainName === undefined) return { problem: "invalid string literal: invalid escape char" };
      name = plainName;
      const closing = tokens[at++];
      if (closing !== "]") return { problem: closing === undefined ? "unexpected end of JSON path" : `expected ] but got ${closing}` };
    } else if (opening !== ".") return { problem: `expected [ or . but got: ${opening}` };
    if (name === undefined) return { problem: "unexpected end of JSON path" };
    const next: JSONSchemaProps | boolean | undefined = schema?.properties
      ? ownProperty(schema.properties, name)
      : schema?.additionalProperties;
    if (next === undefined) return { problem: "does not refer to a valid field" };
    path = schema?.properties ? (path === "" ? name : `${path}.${name}`) : `${path}[${name}]`;
    schema = typeof next === "object" ? next : undefined;
  }
  return { path, schema };
}

const ownProperty = (properties: Readonly<Record<string, JSONSchemaProps>>, name: string): JSONSchemaProps | undefined =>
  Object.hasOwn(properties, name) ? properties[name] : undefined;

function unescaped(text: string): string | undefined {
  let bad = false;
  const plain = text.replace(/\\(.)/gs, (_, char: string) => {
    const found = escapes[char];
    if (found === undefined) bad = true;
    return found ?? "";
  });
  return bad ? undefined : plain;
}
