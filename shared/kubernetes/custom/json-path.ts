import { isJsonObject } from "../schema/schema-node.ts";

type Step = (values: readonly unknown[]) => unknown[];

/** A path that was read: what it finds in a value, in order. */
export type JsonPath = (value: unknown) => unknown[];

const name = /[A-Za-z0-9_\-$]+/y;

/**
 * The JSONPath of printer columns and scales (client-go `util/jsonpath`): `.spec.x`, `.a\.b`, `['a.b']`, `[0]`, `[-1]`, `[*]`, `..x`,
 * `[?(@.type=="Ready")]`. What is missing is nothing. Undefined when the text is no such path.
 */
export function readJsonPath(text: string): JsonPath | undefined {
  const steps: Step[] = [];
  let at = 0;
  while (at < text.length) {
    if (text.startsWith("..", at)) {
      at += 2;
      const field = readName();
      if (field === undefined) return undefined;
      steps.push((values) => values.flatMap(descendants).flatMap((value) => fieldOf(value, field)));
    } else if (text[at] === ".") {
      at++;
      if (at === text.length) break;
      if (text[at] === "[") continue;
      const field = readName();
      if (field === undefined) return undefined;
      steps.push((values) => values.flatMap((value) => fieldOf(value, field)));
    } else if (text[at] === "[") {
      const end = closing(text, at);
      if (end < 0) return undefined;
      const step = readBracket(text.slice(at + 1, end).trim());
      if (step === undefined) return undefined;
      steps.push(step);
      at = end + 1;
    } else return undefined;
  }
  return (value) => steps.reduce<unknown[]>((values, step) => step(values), [value]);

  function readName(): string | undefined {
    let field = "";
    for (;;) {
      if (text[at] === "*" && field === "") {
        at++;
        return "*";
      }
      name.lastIndex = at;
      const part = name.exec(text)?.[0] ?? (text[at] === "\\" ? (text[at + 1] ?? "") : undefined);
      if (part === undefined) return field === "" ? undefined : field;
      at += text[at] === "\\" ? 2 : part.length;
      field += part;
    }
  }
}

function fieldOf(value: unknown, field: string): unknown[] {
  if (field === "*") return Array.isArray(value) ? value : isJsonObject(value) ? Object.values(value) : [];
  if (Array.isArray(value)) return value.flatMap((item) => fieldOf(item, field));
  return isJsonObject(value) && Object.hasOwn(value, field) ? [value[field]] : [];
}

function descendants(value: unknown): unknown[] {
  if (Array.isArray(value)) return value.flatMap(descendants);
  return isJsonObject(value) ? [value, ...Object.values(value).flatMap(descendants)] : [];
}

function closing(text: string, open: number): number {
  let depth = 0;
  let quote = "";
  for (let at = open; at < text.length; at++) {
    const char = text[at] ?? "";
    if (quote !== "") {
      if (char === quote && text[at - 1] !== "\\") quote = "";
    } else if (char === '"' || char === "'") quote = char;
    else if (char === "[") depth++;
    else if (char === "]" && --depth === 0) return at;
  }
  return -1;
}

function readBracket(inner: string): Step | undefined {
  if (inner === "*") return (values) => values.flatMap((value) => fieldOf(value, "*"));
  const quoted = /^(['"])(.*)\1$/s.exec(inner)?.[2];
  if (quoted !== undefined) return (values) => values.flatMap((value) => fieldOf(value, quoted));
  const slice = /^(-?\d*):(-?\d*)(?::\d+)?$/.exec(inner);
  if (slice)
    return (values) =>
      values.flatMap((value) => (Array.isArray(value) ? value.slice(Number(slice[1] || 0), slice[2] ? Number(slice[2]) : undefined) : []));
  if (/^-?\d+$/.test(inner))
    return (values) => values.flatMap((value) => (Array.isArray(value) && Number(inner) < value.length ? [value.at(Number(inner))] : []));
  const filter = /^\?\((.*)\)$/s.exec(inner)?.[1];
  return filter === undefined ? undefined : readFilter(filter);
}

function readFilter(text: string): Step | undefined {
  const [, left = "", operator, right = ""] = /^\s*@(.*?)\s*(?:(==|!=|<=|>=|<|>)\s*(.+?))?\s*$/s.exec(text) ?? [];
  const path = readJsonPath(left);
  if (path === undefined) return undefined;
  const wanted = operator === undefined ? undefined : literal(right);
  if (operator !== undefined && wanted === undefined) return undefined;
  const holds = (item: unknown): boolean => {
    const [found] = path(item);
    return operator === undefined ? found !== undefined : found !== undefined && wanted !== undefined && compare(found, operator, wanted);
  };
  return (values) =>
    values.flatMap((value) => (Array.isArray(value) ? value : isJsonObject(value) ? Object.values(value) : [])).filter(holds);
}

function literal(text: string): string | number | boolean | undefined {
  const quoted = /^(['"])(.*)\1$/s.exec(text)?.[2];
  if (quoted !== undefined) return quoted;
  if (text === "true" || text === "false") return text === "true";
  return /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined;
}

function compare(found: unknown, operator: string, wanted: string | number | boolean): boolean {
  if (operator === "==") return found === wanted;
  if (operator === "!=") return found !== wanted;
  if (typeof found !== typeof wanted || (typeof found !== "number" && typeof found !== "string")) return false;
  const order = found < wanted ? -1 : found > wanted ? 1 : 0;
  return operator === "<" ? order < 0 : operator === "<=" ? order <= 0 : operator === ">" ? order > 0 : order >= 0;
}
