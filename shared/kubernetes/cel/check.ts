import type { Functions, Overload } from "./overload.ts";
import { Attempt, allAssignable, isAssignable, type Substitution, substitute } from "./substitution.ts";
import type { Call, Expression, Fold, Problem, Select, StructLiteral } from "./syntax.ts";
import {
  boolType,
  type CelType,
  dynType,
  errorType,
  formatType,
  intType,
  isDynType,
  isOptionalType,
  listOf,
  mapOf,
  optionalOf,
  typeOfType,
  typeParameter,
} from "./type.ts";
import { typeOfLiteral } from "./value-type.ts";

/** Types that can be named: `type(x) == int`, `Object{…}`. */
export interface NamedTypes {
  get(name: string): CelType | undefined;
}

/** What an expression may use. */
export interface Declarations {
  readonly variables: ReadonlyMap<string, CelType>;
  readonly functions: Functions;
  readonly types: NamedTypes;
}

/** An expression whose types are known. */
export interface Checked {
  readonly expression: Expression;
  readonly type: CelType;
  typeOf(expression: Expression): CelType;
  /** Which overloads a call may mean; more than one where types are dynamic. */
  overloadsOf(call: Call): readonly Overload[];
  /** The dotted names that stand for one declared name (a type, a function), instead of selections. */
  nameOf(expression: Expression): string | undefined;
  /** Declared variables that the expression mentions. */
  readonly variables: ReadonlySet<string>;
}

/** Types of every part of an expression, by the rules of cel-go's checker. Problems are collected, not thrown. */
export class Checker {
  readonly problems: Problem[] = [];
  readonly #declarations: Declarations;
  readonly #scopes: Map<string, CelType>[] = [];
  readonly #types = new Map<Expression, CelType>();
  readonly #overloads = new Map<Call, readonly Overload[]>();
  readonly #names = new Map<Expression, string>();
  readonly #variables = new Set<string>();
  readonly #bound: Substitution = new Map<string, CelType>();
  #fresh = 0;

  constructor(declarations: Declarations) {
    this.#declarations = declarations;
  }

  check(expression: Expression): Checked {
    this.#check(expression);
    const bound = this.#bound;
    const types = new Map([...this.#types].map(([part, type]) => [part, substitute(bound, type, dynType)]));
    const typeOf = (part: Expression): CelType => types.get(part) ?? dynType;
    return {
      expression,
      type: typeOf(expression),
      typeOf,
      overloadsOf: (call) => this.#overloads.get(call) ?? [],
      nameOf: (part) => this.#names.get(part),
      variables: this.#variables,
    };
  }

  #check(expression: Expression): CelType {
    const type = this.#typeOf(expression);
    this.#types.set(expression, type);
    return type;
  }

  #fail(at: number, message: string): CelType {
    this.problems.push({ at, message });
    return errorType;
  }

  #parameter(): CelType {
    return typeParameter(`_var${this.#fresh++}`);
  }

  #resolved(type: CelType): CelType {
    return substitute(this.#bound, type);
  }

  #typeOf(expression: Expression): CelType {
    switch (expression.kind) {
      case "literal":
        return typeOfLiteral(expression.value);
      case "identifier":
        return this.#identifier(expression.name) ?? this.#undeclared(expression.at, expression.name);
      case "select":
        return this.#select(expression);
      case "call":
        return this.#call(expression);
      case "list":
        return listOf(this.#join(expression.elements.map(({ value, optional }) => this.#element(value, optional))));
      case "map": {
        const keys = expression.entries.map(({ key }) => ({ at: key.at, type: this.#check(key) }));
        const values = expression.entries.map(({ value, optional }) => this.#element(value, optional));
        return mapOf(this.#join(keys), this.#join(values));
      }
      case "struct":
        return this.#struct(expression);
      case "fold":
        return this.#fold(expression);
      default:
        return expression satisfies never;
    }
  }

  #undeclared(at: number, name: string): CelType {
    return this.#fail(at, `undeclared reference to '${name}' (in container '')`);
  }

  #identifier(name: string): CelType | undefined {
    for (let scope = this.#scopes.length - 1; scope >= 0; scope--) {
      const local = this.#scopes[scope]?.get(name);
      if (local !== undefined) return local;
    }
    const declared = this.#declarations.variables.get(name);
    if (declared !== undefined) {
      this.#variables.add(name);
      return declared;
    }
    const type = this.#declarations.types.get(name);
    return type === undefined ? undefined : typeOfType(type);
  }

  #element(value: Expression, optional: boolean): { at: number; type: CelType } {
    const type = this.#resolved(this.#check(value));
    if (!optional) return { at: value.at, type };
    if (isOptionalType(type)) return { at: value.at, type: type.parameters[0] ?? dynType };
    if (isDynType(type)) return { at: value.at, type: dynType };
    return {
      at: value.at,
      type: this.#fail(value.at, `expected type 'optional_type(${formatType(type)})' but found '${formatType(type)}'`),
    };
  }

  /** Elements of different types make a list of anything; whether that is wanted is looked at when all else is right. */
  #join(parts: readonly { readonly at: number; readonly type: CelType }[]): CelType {
    let joined: CelType | undefined;
    for (const { type } of parts) {
      if (joined === undefined) joined = type;
      else if (!isAssignable(this.#bound, type, joined)) joined = dynType;
      else if (isDynType(type)) joined = type;
    }
    return joined ?? this.#parameter();
  }

  #select(expression: Select): CelType {
    const name = qualifiedName(expression);
    if (name !== undefined && !expression.test && !this.#isLocal(name)) {
      const type = this.#declarations.types.get(name);
      const declared = type === undefined ? this.#declarations.variables.get(name) : typeOfType(type);
      if (declared !== undefined) {
        this.#names.set(expression, name);
        return declared;
      }
    }
    const operand = this.#resolved(this.#check(expression.operand));
    const type = this.#fieldOf(expression.at, operand, expression.field);
    return expression.test ? boolType : type;
  }

  #isLocal(name: string): boolean {
    const root = name.split(".")[0] ?? "";
    return this.#scopes.some((scope) => scope.has(root));
  }

  #fieldOf(at: number, operand: CelType, field: string): CelType {
    switch (operand.kind) {
      case "error":
      case "dyn":
        return dynType;
      case "param":
        // A parameter that something is selected from is anything.
        isAssignable(this.#bound, dynType, operand);
        return dynType;
      case "map":
        return operand.parameters[1] ?? dynType;
      case "object": {
        if (operand.fields === undefined) return dynType;
        const found = operand.fields?.get(field) ?? operand.fields?.get(`__${field}__`);
        return found ? found.type : this.#fail(at, `undefined field '${field}'`);
      }
      case "opaque":
        if (isOptionalType(operand)) return optionalOf(this.#fieldOf(at, this.#resolved(operand.parameters[0] ?? dynType), field));
        return this.#fail(at, `type '${formatType(operand)}' does not support field selection`);
      default:
        return this.#fail(at, `type '${formatType(operand)}' does not support field selection`);
    }
  }

  #struct({ at, name, fields }: StructLiteral): CelType {
    const type = this.#structType(at, name);
    if (type === undefined) return errorType;
    for (const field of fields) {
      const given = this.#element(field.value, field.optional).type;
      const wanted = this.#initialized(field.at, type, field.name);
      if (isAssignable(this.#bound, given, wanted)) continue;
      const [expected, provided] = [wanted, this.#resolved(given)].map((one) => formatType(one));
      this.#fail(field.at, `expected type of field '${field.name}' is '${expected}' but provided type is '${provided}'`);
    }
    return type.kind === "object" ? type : errorType;
  }

  /** `undefined`: nothing has that name. */
  #structType(at: number, name: string): CelType | undefined {
    const named = this.#identifier(name);
    if (named === undefined) this.#undeclared(at, name);
    else if (named.kind !== "type") this.#fail(at, `'${named.name}' is not a type`);
    else {
      const type = named.parameters[0] ?? errorType;
      if (type.kind !== "object") this.#fail(at, `'${type.name}' is not a message type`);
      return type;
    }
    return undefined;
  }

  /** The type of a field that a literal sets. */
  #initialized(at: number, type: CelType, field: string): CelType {
    if (type.kind === "object" && type.fields === undefined) return dynType;
    return type.fields?.get(field)?.type ?? this.#fail(at, `undefined field '${field}'`);
  }

  #call(call: Call): CelType {
    if (call.name === "_?._") return this.#optionalSelect(call);
    const { target } = call;
    if (target !== undefined) {
      const prefix = qualifiedName(target);
      const name = prefix === undefined ? undefined : `${prefix}.${call.name}`;
      if (name !== undefined && this.#declarations.functions.has(name) && !this.#isLocal(name)) {
        this.#names.set(call, name);
        return this.#resolve(call, name, false, this.#arguments(call.args));
      }
    }
    if (!this.#declarations.functions.has(call.name)) {
      if (target !== undefined) this.#check(target);
      this.#arguments(call.args);
      return this.#undeclared(call.at, call.name);
    }
    const types = this.#arguments(target === undefined ? call.args : [target, ...call.args]);
    return this.#resolve(call, call.name, target !== undefined, types);
  }

  #arguments(args: readonly Expression[]): CelType[] {
    return args.map((arg) => this.#check(arg));
  }

  #optionalSelect(call: Call): CelType {
    const [operand, field] = call.args;
    if (operand === undefined || field?.kind !== "literal" || typeof field.value !== "string")
      return this.#fail(call.at, `unsupported optional field selection: ${call.name}`);
    const type = this.#fieldOf(call.at, this.#resolved(this.#check(operand)), field.value);
    return isOptionalType(type) ? type : optionalOf(type);
  }

  #resolve(call: Call, name: string, member: boolean, types: readonly CelType[]): CelType {
    if (types.some((type) => type.kind === "error")) return errorType;
    const candidates: Overload[] = [];
    let result: CelType | undefined;
    for (const overload of this.#declarations.functions.get(name) ?? []) {
      if (overload.member !== member || overload.parameters.length !== types.length) continue;
      const { parameters, result: declared } = this.#instantiate(overload);
      const attempt = new Attempt(this.#bound);
      if (!allAssignable(attempt, types, parameters)) continue;
      attempt.keep();
      candidates.push(overload);
      const own = substitute(this.#bound, declared);
      result = result === undefined || formatType(result) === formatType(own) ? own : dynType;
    }
    this.#overloads.set(call, candidates);
    if (result !== undefined) return result;
    const shown = types.map((type) => formatType(substitute(this.#bound, type, dynType)));
    const signature = member ? `${shown[0]}.(${shown.slice(1).join(", ")})` : `(${shown.join(", ")})`;
    return this.#fail(call.at, `found no matching overload for '${name}' applied to '${signature}'`);
  }

  /** The signature with type parameters of its own. */
  #instantiate({ parameters, result }: Overload): { parameters: readonly CelType[]; result: CelType } {
    const own = new Map<string, CelType>();
    const visit = (type: CelType): void => {
      if (type.kind === "param") {
        if (!own.has(type.name)) own.set(type.name, this.#parameter());
      } else type.parameters.forEach(visit);
    };
    for (const parameter of parameters) visit(parameter);
    visit(result);
    if (own.size === 0) return { parameters, result };
    return { parameters: parameters.map((type) => substitute(own, type)), result: substitute(own, result) };
  }

  #fold(fold: Fold): CelType {
    const init = this.#check(fold.init);
    const range = this.#resolved(this.#check(fold.range));
    const { key, value } = this.#elementsOf(fold, range);
    const outer = new Map([[fold.accumulator, init]]);
    this.#scopes.push(outer);
    const inner = new Map<string, CelType>();
    if (fold.secondVariable === undefined) inner.set(fold.variable, range.kind === "map" ? key : value);
    else inner.set(fold.variable, key).set(fold.secondVariable, value);
    this.#scopes.push(inner);
    this.#expect(fold.condition, boolType);
    this.#expect(fold.step, init);
    this.#scopes.pop();
    const result = this.#check(fold.result);
    this.#scopes.pop();
    return this.#resolved(result);
  }

  #expect(expression: Expression, type: CelType): void {
    const found = this.#check(expression);
    if (isAssignable(this.#bound, found, type)) return;
    this.#fail(expression.at, `expected type '${formatType(this.#resolved(type))}' but found '${formatType(this.#resolved(found))}'`);
  }

  #elementsOf(fold: Fold, range: CelType): { key: CelType; value: CelType } {
    const [first = dynType, second = dynType] = range.parameters;
    switch (range.kind) {
      case "list":
        return { key: intType, value: first };
      case "map":
        return { key: first, value: second };
      case "dyn":
      case "error":
        return { key: dynType, value: dynType };
      case "param":
        isAssignable(this.#bound, dynType, range);
        return { key: dynType, value: dynType };
      default: {
        const message = `expression of type '${formatType(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`;
        this.#fail(fold.range.at, message);
        return { key: errorType, value: errorType };
      }
    }
  }
}

/** `a.b.c` as one name. */
export function qualifiedName(expression: Expression): string | undefined {
  if (expression.kind === "identifier") return expression.name;
  if (expression.kind !== "select" || expression.test) return undefined;
  const parent = qualifiedName(expression.operand);
  return parent === undefined ? undefined : `${parent}.${expression.field}`;
}
