import type { Meter } from "./meter.ts";
import { type CelType, parseType, splitTypes } from "./type.ts";
import type { CelValue } from "./value.ts";

/** What a function of a library does. The arguments are of the declared types; a receiver is the first of them. */
export type Implementation = (args: readonly CelValue[], meter: Meter) => CelValue;

/** One signature of a function. */
export interface Overload {
  /** cel-go's and Kubernetes' own name of it: costs go by it. */
  readonly id: string;
  readonly name: string;
  /** Called as `receiver.name(…)`; the receiver is the first parameter. */
  readonly member: boolean;
  readonly parameters: readonly CelType[];
  readonly result: CelType;
  readonly call: Implementation;
}

/** Reads `string.matches(string): bool` or `size(list(A)): int`; operators are written `_+_(int, int): int`. */
export function overload(id: string, signature: string, call: Implementation): Overload {
  const colon = signature.lastIndexOf(": ");
  const head = signature.slice(0, colon);
  const open = openingParenthesis(head);
  const parameters = splitTypes(head.slice(open + 1, -1)).map(parseType);
  const name = head.slice(0, open);
  const member = name.startsWith("(");
  const dot = member ? name.lastIndexOf(").") : -1;
  return {
    id,
    name: member ? name.slice(dot + 2) : name,
    member,
    parameters: member ? [parseType(name.slice(1, dot)), ...parameters] : parameters,
    result: parseType(signature.slice(colon + 2)),
    call,
  };
}

/** Where the last pair of parentheses begins. */
function openingParenthesis(head: string): number {
  let depth = 0;
  for (let at = head.length - 1; at >= 0; at--) {
    if (head[at] === ")") depth++;
    else if (head[at] === "(" && --depth === 0) return at;
  }
  return -1;
}

/** All overloads of a name, in the order they are tried. */
export type Functions = ReadonlyMap<string, readonly Overload[]>;

export function collectFunctions(...libraries: readonly (readonly Overload[])[]): Functions {
  const functions = new Map<string, Overload[]>();
  for (const library of libraries)
    for (const entry of library) {
      const known = functions.get(entry.name);
      if (known) known.push(entry);
      else functions.set(entry.name, [entry]);
    }
  return functions;
}
