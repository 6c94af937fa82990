type TokenKind = "end" | "identifier" | ")" | "(" | "," | "!" | "==" | "=" | "!=" | ">" | "<" | "in" | "notin";

export interface LabelToken {
  readonly kind: TokenKind;
  readonly text: string;
}

const end: LabelToken = { kind: "end", text: "" };
const whitespace = new Set([" ", "\t", "\r", "\n"]);
const symbols: Readonly<Record<string, TokenKind>> = { "=": "=", "!": "!", "(": "(", ")": ")", ",": ",", ">": ">", "<": "<" };

/** Tokens of a selector, one ahead. Where a value or key may stand, `in` and `notin` are words like others. */
export class LabelTokens {
  private readonly text: string;
  private position = 0;
  private ahead: LabelToken;

  constructor(text: string) {
    this.text = text;
    this.ahead = this.scan();
  }

  peekValue(): LabelToken {
    const { kind, text } = this.ahead;
    return kind === "in" || kind === "notin" ? { kind: "identifier", text } : this.ahead;
  }

  nextValue(): LabelToken {
    const token = this.peekValue();
    this.ahead = this.scan();
    return token;
  }

  nextOperator(): LabelToken {
    const token = this.ahead;
    this.ahead = this.scan();
    return token;
  }

  private scan(): LabelToken {
    while (whitespace.has(this.text.charAt(this.position))) this.position++;
    const character = this.text.charAt(this.position);
    if (character === "" || character === "\0") return end;
    const symbol = symbols[character];
    if (symbol === undefined) return this.scanWord();
    this.position++;
    if ((symbol === "=" || symbol === "!") && this.text.charAt(this.position) === "=") {
      this.position++;
      return symbol === "=" ? { kind: "==", text: "==" } : { kind: "!=", text: "!=" };
    }
    return { kind: symbol, text: character };
  }

  private scanWord(): LabelToken {
    const start = this.position;
    let character = this.text.charAt(start);
    while (character !== "" && character !== "\0" && symbols[character] === undefined && !whitespace.has(character)) {
      this.position++;
      character = this.text.charAt(this.position);
    }
    const text = this.text.slice(start, this.position);
    return { kind: text === "in" || text === "notin" ? text : "identifier", text };
  }
}
