import { StatusError } from "./status-error.ts";

/** One term of a field selector: `metadata.name=a` or `status.phase!=Running`. `==` is read as `=`. */
export interface FieldRequirement {
  readonly field: string;
  readonly operator: "=" | "!=";
  readonly value: string;
}

/** In the order in which they are tried at each place of a term. */
const operators = ["!=", "==", "="] as const;

/**
 * Reads a field selector: terms joined by commas, ascending; in values `\\`, `\,` and `\=` stand for the sign itself
 * (apimachinery `fields.ParseSelector`). Which fields a resource takes is the caller's business.
 * @throws StatusError `BadRequest` in Kubernetes' words.
 */
export function parseFieldSelector(text: string): FieldRequirement[] {
  const requirements: FieldRequirement[] = [];
  for (const term of splitTerms(text).sort()) {
    if (term === "") continue;
    const requirement = parseTerm(term);
    if (requirement === undefined) throw new StatusError("BadRequest", `invalid selector: '${text}'; can't understand '${term}'`);
    requirements.push(requirement);
  }
  return requirements;
}

/** Whether every term holds. `fieldValue` answers a field of the object as text, the empty string when it is absent. */
export function matchesFields(requirements: readonly FieldRequirement[], fieldValue: (field: string) => string): boolean {
  for (const { field, operator, value } of requirements) {
    if ((fieldValue(field) === value) !== (operator === "=")) return false;
  }
  return true;
}

/** The one value that a field must have, when the selector names it (apimachinery `RequiresExactMatch`). */
export function requiredFieldValue(requirements: readonly FieldRequirement[], field: string): string | undefined {
  return requirements.find((requirement) => requirement.field === field && requirement.operator === "=")?.value;
}

/** The selector as text; `parseFieldSelector` reads it back. */
export function formatFieldSelector(requirements: readonly FieldRequirement[]): string {
  return requirements.map(({ field, operator, value }) => field + operator + value.replace(/[\\,=]/g, "\\$&")).join(",");
}

function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === ",") {
      terms.push(text.slice(start, i));
      start = i + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

function parseTerm(term: string): FieldRequirement | undefined {
  for (let i = 0; i < term.length; i++) {
    const operator = operators.find((candidate) => term.startsWith(candidate, i));
    if (operator !== undefined) {
      const value = unescapeValue(term.slice(i + operator.length));
      return { field: term.slice(0, i), operator: operator === "!=" ? "!=" : "=", value };
    }
  }
  return undefined;
}

function unescapeValue(text: string): string {
  if (!/[\\,=]/.test(text)) return text;
  let value = "";
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    if (character === "\\") {
      const escaped = text.charAt(++i);
      if (escaped !== "\\" && escaped !== "," && escaped !== "=") {
        throw new StatusError("BadRequest", `invalid field selector: invalid escape sequence: \\${escaped}`);
      }
      value += escaped;
    } else if (character === "," || character === "=") {
      throw new StatusError("BadRequest", `invalid field selector: unescaped character in value: ${character.charCodeAt(0)}`);
    } else {
      value += character;
    }
  }
  return value;
}
