import { type CelType, isDynType, sameType } from "./type.ts";

/** Type parameters and what they stand for so far (cel-go `checker/mapping.go`, `checker/types.go`). */
export interface Substitution {
  get(name: string): CelType | undefined;
  set(name: string, type: CelType): void;
}

/** What one signature would bind, over what is bound already: an expression has thousands of calls, and none of them copies what the others bound. */
export class Attempt implements Substitution {
  readonly #own = new Map<string, CelType>();
  readonly #under: Substitution;

  constructor(under: Substitution) {
    this.#under = under;
  }

  get(name: string): CelType | undefined {
    return this.#own.get(name) ?? this.#under.get(name);
  }

  set(name: string, type: CelType): void {
    this.#own.set(name, type);
  }

  /** It fits: what it bound is bound. */
  keep(): void {
    for (const [name, type] of this.#own) this.#under.set(name, type);
  }
}

/** Whether a value of type `from` fits where `to` is wanted; binds type parameters of both. */
export function isAssignable(bound: Substitution, from: CelType, to: CelType): boolean {
  if (to.kind === "param") {
    const outcome = bind(bound, from, to);
    if (outcome !== "free") return outcome === "fits";
  }
  if (from.kind === "param") return bind(bound, to, from) === "fits";
  if (isDynType(from) || isDynType(to)) return true;
  if (from.kind === "null_type") return takesNull(to);
  if (to.kind === "null_type") return takesNull(from);
  switch (from.kind) {
    case "type":
      return to.kind === "type";
    case "opaque":
    case "list":
    case "map":
      return from.kind === to.kind && from.name === to.name && allAssignable(bound, from.parameters, to.parameters);
    default:
      return sameType(from, to);
  }
}

export function allAssignable(bound: Substitution, from: readonly CelType[], to: readonly CelType[]): boolean {
  return from.length === to.length && from.every((type, index) => to[index] !== undefined && isAssignable(bound, type, to[index]));
}

const takesNull = ({ kind }: CelType): boolean =>
  kind === "opaque" || kind === "object" || kind === "null_type" || kind === "timestamp" || kind === "duration";

/** `free`: the parameter could not be bound because the type contains it. */
function bind(bound: Substitution, type: CelType, parameter: CelType): "fits" | "differs" | "free" {
  if (type.kind === "param" && type.name === parameter.name) return "fits";
  const known = bound.get(parameter.name);
  if (known !== undefined) {
    if (sameType(type, known)) return "fits";
    if (!isAssignable(bound, type, known)) return "differs";
    const general = isLessSpecific(type, known) ? type : known;
    if (!refersTo(bound, parameter, general)) bound.set(parameter.name, general);
    return "fits";
  }
  if (refersTo(bound, parameter, type)) return "free";
  bound.set(parameter.name, type);
  return "fits";
}

function isLessSpecific(a: CelType, b: CelType): boolean {
  if (isDynType(a) || a.kind === "param") return true;
  if (isDynType(b) || b.kind === "param") return false;
  if (a.kind !== b.kind || a.name !== b.name) return false;
  return a.parameters.every((parameter, index) => {
    const other = b.parameters[index];
    return other !== undefined && isLessSpecific(parameter, other);
  });
}

function refersTo(bound: Substitution, parameter: CelType, type: CelType): boolean {
  if (type.kind === "param") {
    if (type.name === parameter.name) return true;
    const known = bound.get(type.name);
    return known !== undefined && refersTo(bound, parameter, known);
  }
  return type.parameters.some((inner) => refersTo(bound, parameter, inner));
}

/** The type with its parameters replaced; what stays unknown becomes `otherwise`, or stays. */
export function substitute(bound: Substitution, type: CelType, otherwise?: CelType): CelType {
  if (type.kind === "param") {
    const known = bound.get(type.name);
    return known === undefined ? (otherwise ?? type) : substitute(bound, known, otherwise);
  }
  if (type.parameters.length === 0) return type;
  const parameters = type.parameters.map((inner) => substitute(bound, inner, otherwise));
  if (parameters.every((inner, index) => inner === type.parameters[index])) return type;
  return { ...type, parameters };
}
