/** Where a JSON text breaks, in the words of Go's encoding/json scanner: clients and people know them. */
export function jsonSyntaxProblem(text: string): string {
  const scanner = new Scanner(text);
  try {
    scanner.space();
    if (scanner.done) return "unexpected end of JSON input";
    scanner.value();
    scanner.space();
    if (!scanner.done) throw new Problem(scanner.invalid("after top-level value"));
    return "invalid JSON";
  } catch (error) {
    return error instanceof Problem ? error.message : "invalid JSON";
  }
}

class Problem extends Error {}

class Scanner {
  readonly #text: string;
  #at = 0;
  constructor(text: string) {
    this.#text = text;
  }
  get done(): boolean {
    return this.#at >= this.#text.length;
  }
  invalid(context: string): string {
    if (this.done) return "unexpected end of JSON input";
    const code = this.#text.charCodeAt(this.#at);
    const character = this.#text[this.#at] ?? "";
    const quoted = character === "'" ? "'\\''" : character === '"' ? "'\"'" : code < 32 ? escaped(code) : `'${character}'`;
    return `invalid character ${quoted} ${context}`;
  }
  space(): void {
    while (" \t\r\n".includes(this.#text[this.#at] ?? "x")) this.#at++;
  }
  value(): void {
    const first = this.#text[this.#at];
    if (first === "{") this.#object();
    else if (first === "[") this.#array();
    else if (first === '"') this.#string();
    else if (first === "t") this.#word("true");
    else if (first === "f") this.#word("false");
    else if (first === "n") this.#word("null");
    else if (first !== undefined && /[-0-9]/.test(first)) this.#number();
    else throw new Problem(this.invalid("looking for beginning of value"));
  }
  #object(): void {
    this.#at++;
    this.space();
    if (this.#text[this.#at] === "}") return void this.#at++;
    for (;;) {
      if (this.#text[this.#at] !== '"') throw new Problem(this.invalid("looking for beginning of object key string"));
      this.#string();
      this.space();
      if (this.#text[this.#at] !== ":") throw new Problem(this.invalid("after object key"));
      this.#at++;
      this.space();
      this.value();
      this.space();
      const next = this.#text[this.#at];
      if (next !== "," && next !== "}") throw new Problem(this.invalid("after object key:value pair"));
      this.#at++;
      if (next === "}") return;
      this.space();
    }
  }
  #array(): void {
    this.#at++;
    this.space();
    if (this.#text[this.#at] === "]") return void this.#at++;
    for (;;) {
      this.value();
      this.space();
      const next = this.#text[this.#at];
      if (next !== "," && next !== "]") throw new Problem(this.invalid("after array element"));
      this.#at++;
      if (next === "]") return;
      this.space();
    }
  }
  #string(): void {
    this.#at++;
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) throw new Problem("unexpected end of JSON input");
      if (character < " ") throw new Problem(this.invalid("in string literal"));
      this.#at++;
      if (character === '"') return;
      if (character !== "\\") continue;
      const code = this.#text[this.#at];
      if (code === undefined || !'"\\/bfnrtu'.includes(code)) throw new Problem(this.invalid("in string escape code"));
      this.#at++;
      if (code !== "u") continue;
      for (let i = 0; i < 4; i++, this.#at++)
        if (!/[0-9a-fA-F]/.test(this.#text[this.#at] ?? "")) throw new Problem(this.invalid("in \\u hexadecimal character escape"));
    }
  }
  #word(word: string): void {
    for (let i = 0; i < word.length; i++, this.#at++) {
      if (this.#text[this.#at] !== word[i]) throw new Problem(this.invalid(`in literal ${word} (expecting '${word[i]}')`));
    }
  }
  #number(): void {
    const digits = (): boolean => {
      const start = this.#at;
      while (/[0-9]/.test(this.#text[this.#at] ?? "")) this.#at++;
      return this.#at > start;
    };
    if (this.#text[this.#at] === "-") this.#at++;
    if (!digits()) throw new Problem(this.invalid("in numeric literal"));
    if (this.#text[this.#at] === ".") {
      this.#at++;
      if (!digits()) throw new Problem(this.invalid("after decimal point in numeric literal"));
    }
    if (/[eE]/.test(this.#text[this.#at] ?? "")) {
      this.#at++;
      if (/[-+]/.test(this.#text[this.#at] ?? "")) this.#at++;
      if (!digits()) throw new Problem(this.invalid("in exponent of numeric literal"));
    }
  }
}

const escaped = (code: number): string => ({ 10: "'\\n'", 13: "'\\r'", 9: "'\\t'" })[code] ?? `'\\x${code.toString(16).padStart(2, "0")}'`;
