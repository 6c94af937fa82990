import { accessCost, lengthOf, listCost, mapCost, structCost } from "./actual-cost.ts";
import type { Checked } from "./check.ts";
import { type Argument, type CallEstimate, estimateCall } from "./estimate-calls.ts";
import { add, fixed, multiply, type Range, union, unknown } from "./range.ts";
import type { Call, Expression, Fold, Select } from "./syntax.ts";
import { type CelType, isOptionalType } from "./type.ts";
import { Duration, Timestamp, Uint } from "./value.ts";

/** What is known of a place in the data: its type in the schema, which carries how large it may be. */
interface Local {
  readonly path: CelType | undefined;
  readonly size: Range | undefined;
  readonly entry: Entry | undefined;
}

interface Entry {
  readonly container: "list" | "map";
  readonly key: Range;
  readonly value: Range;
}

const scalars = new Set(["bool", "double", "duration", "int", "timestamp", "uint"]);
const hiddenAccumulator = "@result";

/** The cost of a checked expression in its worst case, from the sizes in the types of its variables (cel-go `checker/cost.go`). */
export function estimateCost(checked: Checked, variables: ReadonlyMap<string, CelType>): Range {
  return new Coster(checked, variables).cost(checked.expression);
}

class Coster {
  readonly #checked: Checked;
  readonly #variables: ReadonlyMap<string, CelType>;
  readonly #locals = new Map<string, Local[]>();
  readonly #paths = new Map<Expression, CelType | undefined>();
  readonly #sizes = new Map<Expression, Range>();
  readonly #entries = new Map<Expression, Entry>();

  constructor(checked: Checked, variables: ReadonlyMap<string, CelType>) {
    this.#checked = checked;
    this.#variables = variables;
  }

  cost(expression: Expression): Range {
    switch (expression.kind) {
      case "literal":
        return fixed(0);
      case "identifier": {
        const local = this.#local(expression.name);
        this.#paths.set(expression, local ? local.path : (this.#variables.get(expression.name) ?? sizeless));
        return fixed(accessCost);
      }
      case "select":
        return this.#select(expression);
      case "call":
        return this.#call(expression);
      case "list": {
        const costs = expression.elements.map(({ value }) => this.cost(value));
        const sizes = expression.elements.map(({ value }) => this.#size(value) ?? unknown);
        this.#entries.set(expression, { container: "list", key: fixed(1), value: sizes.length === 0 ? fixed(0) : sizes.reduce(union) });
        return add(...costs, fixed(listCost));
      }
      case "map": {
        const costs = expression.entries.flatMap(({ key, value }) => [this.cost(key), this.cost(value)]);
        const keys = expression.entries.map(({ key }) => this.#size(key) ?? unknown);
        const values = expression.entries.map(({ value }) => this.#size(value) ?? unknown);
        const none = keys.length === 0;
        this.#entries.set(expression, {
          container: "map",
          key: none ? fixed(0) : keys.reduce(union),
          value: none ? fixed(0) : values.reduce(union),
        });
        return add(...costs, fixed(mapCost));
      }
      case "struct":
        return add(...expression.fields.map(({ value }) => this.cost(value)), fixed(structCost));
      case "fold":
        return expression.accumulator === hiddenAccumulator ? this.#fold(expression) : this.#binding(expression);
      default:
        return expression satisfies never;
    }
  }

  #select(select: Select): Range {
    const operand = this.cost(select.operand);
    if (select.test) return operand;
    const { kind } = this.#checked.typeOf(select.operand);
    this.#paths.set(select, fieldType(this.#path(select.operand), select.field));
    return kind === "map" || kind === "object" ? add(operand, fixed(accessCost)) : operand;
  }

  #call(call: Call): Range {
    const parts = this.#checked.nameOf(call) === undefined && call.target !== undefined ? [call.target, ...call.args] : call.args;
    const costs = parts.map((part) => this.cost(part));
    const [first = fixed(0), second = fixed(0), third = fixed(0)] = costs;
    switch (call.name) {
      case "dyn":
        this.#copy(call, parts[0]);
        return add(...costs, fixed(1));
      case "_&&_":
      case "_||_":
        return { min: first.min, max: add(first, second).max };
      case "_?_:_":
        return this.#conditional(call, parts, first, union(second, third));
      case "_?._":
        return add(...costs, fixed(accessCost));
      default:
        return add(...costs, this.#function(call, parts));
    }
  }

  #conditional(call: Call, [, yes, no]: readonly Expression[], condition: Range, branches: Range): Range {
    if (yes && no) {
      this.#sizes.set(call, union(this.#size(yes) ?? unknown, this.#size(no) ?? unknown));
      const entry = unionOfEntries(this.#entry(yes), this.#entry(no));
      if (entry) this.#entries.set(call, entry);
    }
    return add(condition, branches);
  }

  #function(call: Call, parts: readonly Expression[]): Range {
    const args = parts.map((part) => this.#argument(part));
    let total: Range | undefined;
    let resultSize: Range | undefined;
    for (const { id, member, name } of this.#checked.overloadsOf(call)) {
      const estimate: CallEstimate = estimateCall(name, id, member, args);
      total = total === undefined ? estimate.cost : union(total, estimate.cost);
      if (estimate.resultSize) resultSize = resultSize ? union(resultSize, estimate.resultSize) : estimate.resultSize;
      if (id === "index_list" || id === "index_map") {
        const [container] = parts;
        resultSize = container && this.#entry(container)?.value;
        this.#paths.set(call, container && elementOf(this.#path(container)));
      }
      if (id === "add_list" || id === "add_string" || id === "add_bytes") {
        const entry = parts[0] && parts[1] && unionOfEntries(this.#entry(parts[0]), this.#entry(parts[1]));
        if (entry) this.#entries.set(call, entry);
      }
      resultSize ??= this.#size(call);
    }
    if (resultSize) this.#sizes.set(call, resultSize);
    return total ?? fixed(0);
  }

  #argument(expression: Expression): Argument {
    const path = expression.kind === "identifier" && expression.name === hiddenAccumulator ? undefined : this.#path(expression);
    const element = elementOf(path);
    return {
      expression,
      type: this.#checked.typeOf(expression),
      size: this.#size(expression),
      elementSize: element && sizeInSchema(element),
    };
  }

  #fold(fold: Fold): Range {
    const range = this.cost(fold.range);
    const init = this.cost(fold.init);
    this.#push(fold.accumulator, { path: this.#path(fold.init), size: this.#size(fold.init), entry: this.#entry(fold.init) });
    const type = this.#checked.typeOf(fold.range);
    const entry = this.#entry(fold.range);
    const list = (entry?.container ?? type.kind) === "list";
    const path = this.#path(fold.range);
    const keys: Local = { path: list ? undefined : path && sizeless, size: entry?.key, entry: undefined };
    const values: Local = { path: elementOf(path), size: entry?.value, entry: undefined };
    this.#push(fold.variable, fold.secondVariable === undefined && list ? values : keys);
    if (fold.secondVariable !== undefined) this.#push(fold.secondVariable, values);
    const each = add(this.cost(fold.condition), this.cost(fold.step));
    this.#pop(fold.variable);
    if (fold.secondVariable !== undefined) this.#pop(fold.secondVariable);
    const result = this.cost(fold.result);
    this.#pop(fold.accumulator);
    const count = this.#size(fold.range) ?? unknown;
    if (fold.init.kind === "literal") {
      const size = this.#size(fold.init);
      if (size) this.#sizes.set(fold, size);
    } else {
      this.#sizes.set(fold, count);
      const stepEntry = this.#entry(fold.step);
      if (stepEntry) this.#entries.set(fold, stepEntry);
    }
    return add(range, init, result, multiply(count, each));
  }

  #binding(fold: Fold): Range {
    const costs = [this.cost(fold.range), this.cost(fold.init)];
    this.#push(fold.accumulator, { path: this.#path(fold.init), size: this.#size(fold.init), entry: this.#entry(fold.init) });
    costs.push(this.cost(fold.result));
    this.#pop(fold.accumulator);
    this.#copy(fold, fold.result);
    return add(...costs);
  }

  #local(name: string): Local | undefined {
    return this.#locals.get(name)?.at(-1);
  }

  #push(name: string, local: Local): void {
    this.#locals.set(name, [...(this.#locals.get(name) ?? []), local]);
  }

  #pop(name: string): void {
    this.#locals.get(name)?.pop();
  }

  #path(expression: Expression): CelType | undefined {
    const local = expression.kind === "identifier" ? this.#local(expression.name) : undefined;
    return local ? local.path : this.#paths.get(expression);
  }

  #copy(to: Expression, from: Expression | undefined): void {
    const size = from && this.#size(from);
    if (size) this.#sizes.set(to, size);
    const entry = from && this.#entry(from);
    if (entry) this.#entries.set(to, entry);
  }

  #entry(expression: Expression): Entry | undefined {
    return this.#entries.get(expression) ?? (expression.kind === "identifier" ? this.#local(expression.name)?.entry : undefined);
  }

  #size(expression: Expression): Range | undefined {
    const known = this.#sizes.get(expression) ?? literalSize(expression);
    if (known) return known;
    const path = this.#path(expression);
    if (path) return sizeInSchema(path);
    const type = this.#checked.typeOf(expression);
    if (isScalar(type)) return fixed(1);
    return expression.kind === "identifier" ? this.#local(expression.name)?.size : undefined;
  }
}

/** Kubernetes declares no size for the keys of maps, and types that are named have none. */
const sizeless: CelType = { kind: "string", name: "string", parameters: [] };

const sizeInSchema = (type: CelType): Range => ({ min: 0, max: type.maxElements ?? 0 });
const elementOf = (type: CelType | undefined): CelType | undefined =>
  type?.kind === "map" ? type.parameters[1] : type?.kind === "list" ? type.parameters[0] : undefined;
const isScalar = (type: CelType): boolean =>
  scalars.has(type.kind) || (isOptionalType(type) && type.parameters[0] !== undefined && isScalar(type.parameters[0]));

const fieldType = (type: CelType | undefined, field: string): CelType | undefined =>
  (type?.fields?.get(field) ?? type?.fields?.get(`__${field}__`))?.type;

function unionOfEntries(a: Entry | undefined, b: Entry | undefined): Entry | undefined {
  return a && b ? { container: a.container, key: union(a.key, b.key), value: union(a.value, b.value) } : undefined;
}

function literalSize(expression: Expression): Range | undefined {
  if (expression.kind === "list") return fixed(expression.elements.length);
  if (expression.kind === "map") return fixed(expression.entries.length);
  if (expression.kind !== "literal") return undefined;
  const { value } = expression;
  if (typeof value === "string") return fixed(lengthOf(value));
  if (value instanceof Uint8Array) return fixed(value.length);
  return typeof value !== "object" || value === null || value instanceof Uint || value instanceof Timestamp || value instanceof Duration
    ? fixed(1)
    : undefined;
}
