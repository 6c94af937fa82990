import { goQuote, goSyntax, goTypeOf } from "../schema/go-text.ts";
import { isJsonObject, type JsonObject, type SchemaNode } from "../schema/schema-node.ts";
import { describeElement } from "./field-element.ts";

/**
 * What keeps an applied configuration from being read by its schema, in the words of structured-merge-diff's `typed` package:
 * `.spec.foo: field not declared in schema`. Server-side apply refuses it whatever `fieldValidation` says. Undefined when it may be read.
 */
export function typedProblem(root: SchemaNode, config: JsonObject): string | undefined {
  const walk = new Walk(root.fields().get("metadata")?.node);
  walk.value(root, config, "");
  const { problems } = walk;
  return problems.length > 1 ? ["errors:", ...problems.map((problem) => `  ${problem}`)].join("\n") : problems[0];
}

/** A value of a Go type that JSON does not have, as expressions may make one: by its type, by `%v` and by `%#v`. No schema has a place for it. */
export class GoValue {
  readonly type: string;
  readonly plain: string;
  readonly syntax: string;
  constructor(type: string, plain: string, syntax: string) {
    this.type = type;
    this.plain = plain;
    this.syntax = syntax;
  }
}

const typeMeta = new Set(["apiVersion", "kind"]);

class Walk {
  readonly problems: string[] = [];
  readonly #metadata: SchemaNode | undefined;

  constructor(metadata: SchemaNode | undefined) {
    this.#metadata = metadata;
  }

  value(node: SchemaNode, value: unknown, path: string): void {
    if (value === null || value === undefined) return;
    switch (node.shape) {
      case "any":
        return;
      case "object":
      case "map":
        if (isJsonObject(value) && !(value instanceof GoValue)) this.#fields(node, value, path);
        else this.#add(path, `expected map, got &{${plain(value)}}`);
        return;
      case "list":
        if (Array.isArray(value)) this.#items(node, value, path);
        else this.#add(path, `expected list, got &{${plain(value)}}`);
        return;
      default: {
        const problem = scalarProblem(node, value);
        if (problem !== undefined) this.#add(path, problem);
      }
    }
  }

  #fields(node: SchemaNode, object: JsonObject, path: string): void {
    for (const key in object) {
      const at = `${path}.${key}`;
      const declared = this.#declared(node, key);
      if (declared !== undefined) this.value(declared, object[key], at);
      else if (node.shape === "object" && !node.preservesUnknown && !(node.embedded && typeMeta.has(key)))
        this.#add(at, "field not declared in schema");
    }
  }

  #declared(node: SchemaNode, key: string): SchemaNode | undefined {
    if (node.shape === "map") return node.element;
    if (node.embedded && key === "metadata") return this.#metadata;
    return node.fields().get(key)?.node;
  }

  #items(node: SchemaNode, items: readonly unknown[], path: string): void {
    const { element } = node;
    if (element === undefined) return;
    const seen = new Set<string>();
    for (let index = 0; index < items.length; index++) {
      const item = items[index];
      const step = stepTo(node, element, item, index);
      if ("problem" in step) {
        this.#add(path, `element ${index}: ${step.problem}`);
        return;
      }
      if (seen.has(step.text)) this.#add(path, `duplicate entries for key ${step.text}`);
      seen.add(step.text);
      this.value(element, item, path + step.text);
    }
  }

  #add(path: string, problem: string): void {
    this.problems.push(path === "" ? problem : `${path}: ${problem}`);
  }
}

/** How an element of a list is named, or why it cannot be. */
function stepTo(list: SchemaNode, element: SchemaNode, item: unknown, index: number): { text: string } | { problem: string } {
  if (list.listType === "set") {
    if (item === null) return { problem: "associative list without keys has an element that's an explicit null" };
    if (Array.isArray(item)) return { problem: "not supported: associative list with lists as elements" };
    if (isJsonObject(item)) return { problem: "associative list without keys has an element that's a map type" };
    return { text: describeElement(`v:${JSON.stringify(item)}`) };
  }
  if (list.listType !== "map") return { text: `[${index}]` };
  if (item === null) return { problem: "associative list with keys may not have a null element" };
  if (!isJsonObject(item) || item instanceof GoValue) return { problem: "associative list with keys may not have non-map elements" };
  const keys: JsonObject = {};
  for (const key of list.listMapKeys) {
    const value = item[key] ?? element.fields().get(key)?.published;
    if (value === undefined)
      return { problem: `associative list with keys has an element that omits key field ${goQuote(key)} (and doesn't have default value)` };
    keys[key] = value;
  }
  return { text: describeElement(`k:${JSON.stringify(keys)}`) };
}

function scalarProblem({ shape }: SchemaNode, value: unknown): string | undefined {
  const type = typeof value;
  switch (shape) {
    case "integer":
    case "number":
      return type === "number"
        ? undefined
        : `expected numeric (int or float), got ${value instanceof GoValue ? value.type : goTypeOf(value)}`;
    case "boolean":
      return type === "boolean" ? undefined : `expected boolean, got &{${plain(value)}}`;
    case "quantity":
    case "intOrString":
      return type === "object" ? `expected any scalar, got &{${plain(value)}}` : undefined;
    default:
      return type === "string"
        ? undefined
        : `expected string, got &value.valueUnstructured{Value:${value instanceof GoValue ? value.syntax : goSyntax(value)}}`;
  }
}

const sorted = (object: object): [string, unknown][] =>
  Object.entries(object as Record<string, unknown>).sort(([a], [b]) => (a < b ? -1 : 1));

/** A JSON value by Go's `%v`. */
function plain(value: unknown): string {
  if (value instanceof GoValue) return value.plain;
  if (value === null || value === undefined) return "<nil>";
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return `[${value.map(plain).join(" ")}]`;
  return `map[${sorted(value)
    .map(([key, inner]) => `${key}:${plain(inner)}`)
    .join(" ")}]`;
}
