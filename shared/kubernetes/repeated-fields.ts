/**
 * Fields that stand twice in one object of a JSON text, which a lenient parser passes over. They and the unknown fields found by a schema come
 * in the order of the text, as sigs.k8s.io/json reports them. `value` is what the text was parsed to; `undefined`: there are none, as nearly always.
 */
export function findRepeatedFields(text: string, value: unknown): ((unknown: readonly string[]) => string[]) | undefined {
  return countKeys(text) === keysIn(value) ? undefined : (unknown) => inOrder(text, unknown);
}

const backslash = 0x5c;
const colon = 0x3a;

/** How many keys a valid JSON text has: its strings that a colon follows. */
function countKeys(text: string): number {
  let keys = 0;
  for (let begin = text.indexOf('"'); begin >= 0; ) {
    const behind = endOfString(text, begin);
    let at = behind;
    while (text.charCodeAt(at) <= 0x20) at++;
    if (text.charCodeAt(at) === colon) keys++;
    begin = text.indexOf('"', behind);
  }
  return keys;
}

/** The index behind the string that begins at `begin`. */
function endOfString(text: string, begin: number): number {
  for (let end = text.indexOf('"', begin + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = end - 1;
    while (text.charCodeAt(slashes) === backslash) slashes--;
    if ((end - slashes) % 2 === 1) return end + 1;
  }
  return text.length;
}

function keysIn(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  let keys = 0;
  if (Array.isArray(value)) for (const item of value) keys += keysIn(item);
  else
    for (const key of Object.keys(value)) {
      const child: unknown = Reflect.get(value, key);
      keys += typeof child === "object" ? 1 + keysIn(child) : 1;
    }
  return keys;
}

function inOrder(text: string, unknown: readonly string[]): string[] {
  const { first, repeated } = new Walk(text).fields();
  const pathOf = (problem: string): string => /^unknown field "(.*)"$/.exec(problem)?.[1] ?? "";
  const unknownPaths = unknown.map(pathOf);
  const isWithinUnknown = (path: string): boolean =>
    unknownPaths.some((outer) => path.startsWith(`${outer}.`) || path.startsWith(`${outer}[`));
  const problems = [
    ...unknown.map((problem) => ({ problem, at: first.get(pathOf(problem)) ?? 0 })),
    ...[...repeated]
      .filter(([path]) => !isWithinUnknown(path))
      .map(([path, at]) => ({ problem: `duplicate field ${JSON.stringify(path)}`, at })),
  ];
  return problems.sort((a, b) => a.at - b.at).map(({ problem }) => problem);
}

/** Goes once over a valid JSON text. */
class Walk {
  readonly #text: string;
  #at = 0;
  readonly #first = new Map<string, number>();
  readonly #repeated = new Map<string, number>();
  constructor(text: string) {
    this.#text = text;
  }

  /** Where each field stands first, and those that stand again there. */
  fields(): { first: ReadonlyMap<string, number>; repeated: ReadonlyMap<string, number> } {
    this.#value("");
    return { first: this.#first, repeated: this.#repeated };
  }

  #value(path: string): void {
    const begins = this.#next();
    if (begins === "{") this.#object(path);
    else if (begins === "[") this.#array(path);
    else if (begins === '"') this.#at = endOfString(this.#text, this.#at);
    else while (/[^,\]}\s]/.test(this.#text[this.#at] ?? ",")) this.#at++;
  }

  #object(path: string): void {
    const seen = new Set<string>();
    for (this.#at++; this.#next() !== "}"; this.#skip(",")) {
      const at = this.#at;
      this.#at = endOfString(this.#text, at);
      const key: unknown = JSON.parse(this.#text.slice(at, this.#at));
      const field = path === "" ? String(key) : `${path}.${String(key)}`;
      if (!this.#first.has(field)) this.#first.set(field, at);
      else if (seen.has(field) && !this.#repeated.has(field)) this.#repeated.set(field, at);
      seen.add(field);
      this.#skip(":");
      this.#value(field);
    }
    this.#at++;
  }

  #array(path: string): void {
    let index = 0;
    for (this.#at++; this.#next() !== "]"; this.#skip(",")) this.#value(`${path}[${index++}]`);
    this.#at++;
  }

  #next(): string {
    while (this.#text.charCodeAt(this.#at) <= 0x20) this.#at++;
    return this.#text[this.#at] ?? "}";
  }

  #skip(separator: string): void {
    if (this.#next() === separator) this.#at++;
  }
}
