import { type Document, isNode, isScalar, Lexer, LineCounter, parseDocument, visit } from "yaml";
import { findRepeatedFields } from "../kubernetes/repeated-fields.ts";

/** Deeper than any object of the API; goyaml's own limit is 10,000, which the parser's recursion does not reach. */
const maxDepth = 200;
/** About a second of work. Bodies of that size come as JSON. */
const maxTokens = 300_000;
/** Of the lexer: what is not in the text. Behind `scalar` comes the text of a scalar. */
const marks = { document: "\u0002", flowEnd: "\u0018", scalar: "\u001f" };

/**
 * A YAML text as a value, as sigs.k8s.io/yaml reads it: version 1.1, with merge keys; a text that is JSON is read as that. What would take
 * the parser very long, or deeper than the stack is, is refused before it is parsed; aliases are bounded. Of a key that stands twice in a map the last
 * counts, and `repeated` is told (`line 3: key "a" already set in map`).
 * @throws Error with a message for the caller
 */
export function parseYamlText(text: string, repeated: (problem: string) => void = () => {}): unknown {
  const json = parseAsJson(text);
  if (json !== undefined && !findRepeatedFields(text, json)) return json;
  checkSize(text);
  const lines = new LineCounter();
  // The parser's own check of keys compares each with every other.
  const parsed = parseDocument(text, { version: "1.1", merge: true, uniqueKeys: false, lineCounter: lines });
  const [problem] = parsed.errors;
  if (problem) throw problem;
  for (const found of findRepeatedKeys(parsed, lines)) repeated(found);
  return parsed.toJS({ maxAliasCount: 100 });
}

function parseAsJson(text: string): unknown {
  if (!/^\s*[{[]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function checkSize(text: string): void {
  let tokens = 0;
  let flows = 0;
  let column = 0;
  let lineBegins = true;
  let isScalarText = false;
  const indents: number[] = [];
  const nest = (): void => {
    while ((indents.at(-1) ?? -1) >= column) indents.pop();
    indents.push(column);
  };
  for (const token of new Lexer().lex(text)) {
    if (++tokens > maxTokens) throw new Error(`more than ${maxTokens} tokens; send large bodies as JSON`);
    if (token === marks.scalar) {
      isScalarText = true;
      continue;
    }
    if (token === marks.document || token === marks.flowEnd) continue;
    const isContent = isScalarText || !/^(\s|#|$)/.test(token);
    if (isContent && flows === 0 && (lineBegins || (!isScalarText && (token === "-" || token === "?")))) nest();
    if (!isScalarText && (token === "[" || token === "{")) flows++;
    if (!isScalarText && (token === "]" || token === "}")) flows--;
    if (flows + indents.length > maxDepth) throw new Error(`exceeded max depth of ${maxDepth}`);
    if (isContent) lineBegins = false;
    isScalarText = false;
    const end = token.lastIndexOf("\n");
    if (end === -1) column += token.length;
    else {
      column = token.length - end - 1;
      lineBegins = true;
    }
  }
}

function findRepeatedKeys(parsed: Document, lines: LineCounter): string[] {
  const found: string[] = [];
  visit(parsed, {
    Map(_, { items }) {
      const keys = new Set<unknown>();
      for (const { key } of items) {
        const name = isScalar(key) ? key.value : key;
        const { line } = lines.linePos(isNode(key) ? (key.range?.[0] ?? 0) : 0);
        if (keys.has(name)) found.push(`line ${line}: key ${JSON.stringify(name)} already set in map`);
        keys.add(name);
      }
    },
  });
  return found;
}
