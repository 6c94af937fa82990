import type { Problem } from "./syntax.ts";

export type TokenKind = "identifier" | "int" | "uint" | "double" | "string" | "bytes" | "operator" | "end";

export interface Token {
  readonly kind: TokenKind;
  readonly at: number;
  /** As it stands. */
  readonly text: string;
  /** Of strings and bytes: what they denote. Bytes are kept as one character a byte. */
  readonly value: string;
}

const operators = [
  "&&",
  "||",
  "==",
  "!=",
  "<=",
  ">=",
  "<",
  ">",
  "+",
  "-",
  "*",
  "/",
  "%",
  "!",
  "?",
  ":",
  ".",
  ",",
  "(",
  ")",
  "[",
  "]",
  "{",
  "}",
];
const numbers = /(?:0x[0-9a-fA-F]+|\d+)[uU]|(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)|0x[0-9a-fA-F]+|\d+/y;
const identifiers = /[A-Za-z_][A-Za-z0-9_]*/y;
const spaces = /(?:[ \t\r\n\f]+|\/\/[^\n]*)+/y;
const stringStart = /(?:[rR][bB]?|[bB][rR]?)?("""|'''|"|')/y;

/** The tokens of an expression (cel-spec, lexis). What is no token is named in `problems` and passed over. */
export function tokenize(text: string): { readonly tokens: readonly Token[]; readonly problems: readonly Problem[] } {
  const tokens: Token[] = [];
  const problems: Problem[] = [];
  const refuse = (end: number): number => {
    problems.push({ at, message: `Syntax error: token recognition error at: '${text.slice(at, end)}'` });
    return end;
  };
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(text);
  };
  for (;;) {
    at += match(spaces)?.[0].length ?? 0;
    if (at >= text.length) {
      tokens.push({ kind: "end", at, text: "<EOF>", value: "" });
      return { tokens, problems };
    }
    const quote = match(stringStart);
    if (quote) {
      const token = readString(text, at, quote[0], quote[1] ?? "");
      if (token === undefined) at = refuse(text.length);
      else {
        tokens.push(token);
        at += token.text.length;
      }
      continue;
    }
    const number = match(numbers)?.[0];
    if (number !== undefined) {
      const kind = /^0x/.test(number) ? (/[uU]$/.test(number) ? "uint" : "int") : numberKind(number);
      tokens.push({ kind, at, text: number, value: "" });
      at += number.length;
      continue;
    }
    const word = match(identifiers)?.[0];
    if (word !== undefined) {
      tokens.push({ kind: "identifier", at, text: word, value: "" });
      at += word.length;
      continue;
    }
    const operator = operators.find((candidate) => text.startsWith(candidate, at));
    if (operator === undefined) {
      at = refuse(at + (/[=&|]/.test(text[at] ?? "") ? 2 : 1));
      continue;
    }
    tokens.push({ kind: "operator", at, text: operator, value: "" });
    at += operator.length;
  }
}

const numberKind = (text: string): TokenKind => (/[uU]$/.test(text) ? "uint" : /[.eE]/.test(text) ? "double" : "int");

function readString(text: string, start: number, opening: string, quote: string): Token | undefined {
  const prefix = opening.slice(0, opening.length - quote.length).toLowerCase();
  const raw = prefix.includes("r");
  const bytes = prefix.includes("b");
  let at = start + opening.length;
  let value = "";
  for (;;) {
    if (at >= text.length) return undefined;
    if (text.startsWith(quote, at)) break;
    const char = text[at] ?? "";
    if (quote.length === 1 && (char === "\n" || char === "\r")) return undefined;
    if (char === "\\") {
      const escaped = raw ? { length: 2, value: text.slice(at, at + 2) } : readEscape(text, at, bytes);
      if (escaped === undefined) return undefined;
      value += bytes && escaped.byte === undefined ? utf8(escaped.value) : escaped.value;
      at += escaped.length;
    } else {
      const point = String.fromCodePoint(text.codePointAt(at) ?? 0);
      value += bytes ? utf8(point) : point;
      at += point.length;
    }
  }
  return { kind: bytes ? "bytes" : "string", at: start, text: text.slice(start, at + quote.length), value };
}

const utf8 = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
const single: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "?": "?",
  '"': '"',
  "'": "'",
  "`": "`",
};

interface Escape {
  readonly length: number;
  readonly value: string;
  /** In bytes, `\x` and octal escapes name a byte and not a character. */
  readonly byte?: boolean;
}

function readEscape(text: string, at: number, bytes: boolean): Escape | undefined {
  const char = text[at + 1] ?? "";
  const known = single[char];
  if (known !== undefined) return { length: 2, value: known };
  const digits = { x: 2, X: 2, u: 4, U: 8 }[char];
  const octal = /^[0-3]$/.test(char);
  const from = octal ? at + 1 : at + 2;
  const written = text.slice(from, from + (octal ? 3 : (digits ?? 0)));
  if (!(octal ? /^[0-3][0-7]{2}$/ : /^[0-9a-fA-F]+$/).test(written) || (!octal && written.length !== digits)) return undefined;
  const point = Number.parseInt(written, octal ? 8 : 16);
  if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return undefined;
  const length = from - at + written.length;
  if (bytes && (octal || digits === 2)) return { length, value: String.fromCharCode(point), byte: true };
  return { length, value: String.fromCodePoint(point) };
}
