import { noOverload, selectField, selectOptional, testField } from "./access.ts";
import { accessCost, callCost, listCost, mapCost, structCost } from "./actual-cost.ts";
import type { Checked, NamedTypes } from "./check.ts";
import { isFailure } from "./compare.ts";
import type { Meter } from "./meter.ts";
import type { Overload } from "./overload.ts";
import type { Call, Expression, Fold, ListLiteral, MapLiteral, Select, StructLiteral } from "./syntax.ts";
import { type CelType, dynType, isDynType } from "./type.ts";
import {
  ArrayList,
  type CelValue,
  EntryMap,
  Failure,
  isMapKey,
  ListValue,
  MapValue,
  OptionalValue,
  StructValue,
  TypeValue,
} from "./value.ts";
import { fits, typeOfLiteral } from "./value-type.ts";

/** Values of the declared variables; undefined where one has none. */
export type Bindings = (name: string) => CelValue | undefined;

interface Frame {
  readonly bindings: Bindings;
  readonly locals: CelValue[];
  readonly meter: Meter;
}

type Step = (frame: Frame) => CelValue;

/** A checked expression as functions that call each other: what can be decided from types alone is decided here, once. */
export function plan(checked: Checked, types: NamedTypes): (bindings: Bindings, meter: Meter) => CelValue {
  const step = new Planner(checked, types).plan(checked.expression);
  return (bindings, meter) => step({ bindings, locals: [], meter });
}

class Planner {
  readonly #checked: Checked;
  readonly #types: NamedTypes;
  readonly #scope: string[] = [];

  constructor(checked: Checked, types: NamedTypes) {
    this.#checked = checked;
    this.#types = types;
  }

  plan(expression: Expression): Step {
    switch (expression.kind) {
      case "literal": {
        const { value } = expression;
        return () => value;
      }
      case "identifier":
        return this.#identifier(expression.name);
      case "select": {
        const name = this.#checked.nameOf(expression);
        return name === undefined ? this.#select(expression) : this.#identifier(name);
      }
      case "call":
        return this.#call(expression);
      case "list":
        return this.#list(expression);
      case "map":
        return this.#map(expression);
      case "struct":
        return this.#struct(expression);
      case "fold":
        return this.#fold(expression);
      default:
        return expression satisfies never;
    }
  }

  #identifier(name: string): Step {
    const slot = this.#scope.lastIndexOf(name);
    if (slot >= 0) {
      return ({ locals, meter }) => {
        meter.spend(accessCost);
        return locals[slot] ?? null;
      };
    }
    const type = this.#types.get(name);
    if (type !== undefined && !this.#checked.variables.has(name)) {
      const value = new TypeValue(type);
      return () => value;
    }
    const missing = new Failure(`no such attribute(s): ${name}`);
    return ({ bindings, meter }) => {
      meter.spend(accessCost);
      return bindings(name) ?? missing;
    };
  }

  #select({ operand, field, test }: Select): Step {
    const from = this.plan(operand);
    if (test) return (frame) => testField(from(frame), field);
    return (frame) => {
      const value = from(frame);
      if (isFailure(value)) return value;
      frame.meter.spend(accessCost);
      return selectField(value, field);
    };
  }

  #call(call: Call): Step {
    const qualified = this.#checked.nameOf(call);
    const args = (qualified === undefined && call.target !== undefined ? [call.target, ...call.args] : call.args).map((arg) =>
      this.plan(arg),
    );
    const [first = nothing, second = nothing, third = nothing] = args;
    switch (call.name) {
      case "_&&_":
        return logical(first, second, false);
      case "_||_":
        return logical(first, second, true);
      case "_?_:_":
        return (frame) => {
          const condition = first(frame);
          if (typeof condition !== "boolean") return isFailure(condition) ? condition : noOverload;
          return condition ? second(frame) : third(frame);
        };
      case "@not_strictly_false":
        return (frame) => {
          const value = first(frame);
          frame.meter.spend(1);
          return value !== false;
        };
      case "_?._":
      case "_[?_]":
        return optionalAccess(first, second);
      case "or":
      case "orValue":
        if (qualified === undefined && call.target !== undefined) return optionalOr(first, second, call.name === "or");
        return this.#function(call, args);
      default:
        return this.#function(call, args);
    }
  }

  #function(call: Call, args: readonly Step[]): Step {
    const overloads = this.#checked.overloadsOf(call);
    const [only] = overloads;
    const parts = this.#checked.nameOf(call) === undefined && call.target !== undefined ? [call.target, ...call.args] : call.args;
    const certain = overloads.length === 1 && parts.every((part) => isCertain(this.#checked.typeOf(part)));
    return (frame) => {
      const values: CelValue[] = [];
      for (const arg of args) {
        const value = arg(frame);
        if (isFailure(value)) return value;
        values.push(value);
      }
      const overload = certain ? only : dispatch(overloads, values);
      if (overload === undefined) return noOverload;
      frame.meter.spend(callCost(overload.id, overload.name, values));
      return overload.call(values, frame.meter);
    };
  }

  #list({ elements }: ListLiteral): Step {
    const steps = elements.map(({ value, optional }) => ({ step: this.plan(value), optional }));
    // What is written out costs nothing: cel-go makes it once.
    const cost = elements.every(({ value }) => isConstant(value)) ? 0 : listCost;
    return (frame) => {
      frame.meter.spend(cost);
      const items: CelValue[] = [];
      for (const { step, optional } of steps) {
        const value = step(frame);
        if (isFailure(value)) return value;
        if (!optional) items.push(value);
        else if (!(value instanceof OptionalValue))
          return new Failure(`cannot initialize optional list element from non-optional value ${valueText(value)}`);
        else if (value.value !== undefined) items.push(value.value);
      }
      return new ArrayList(items);
    };
  }

  #map({ entries }: MapLiteral): Step {
    const steps = entries.map(({ key, value, optional }) => ({ key: this.plan(key), value: this.plan(value), optional }));
    const cost = entries.every(({ key, value }) => isConstant(key) && isConstant(value)) ? 0 : mapCost;
    return (frame) => {
      frame.meter.spend(cost);
      const map = new EntryMap();
      for (const { key: keyStep, value: valueStep, optional } of steps) {
        const key = keyStep(frame);
        if (isFailure(key)) return key;
        const value = entryValue(valueStep(frame), optional, () => valueText(key));
        if (isFailure(value)) return value;
        if (value === undefined) continue;
        if (!isMapKey(key)) return new Failure("unsupported key type");
        if (!map.insert(key, value)) return new Failure(`Failed with repeated key ${String(key)}`);
      }
      return map;
    };
  }

  #struct(expression: StructLiteral): Step {
    const type = this.#checked.typeOf(expression);
    const steps = expression.fields.map(({ name, value, optional }) => ({ name, value: this.plan(value), optional }));
    return (frame) => {
      frame.meter.spend(structCost);
      const fields = new Map<string, CelValue>();
      for (const { name, value: step, optional } of steps) {
        const value = entryValue(step(frame), optional, () => name);
        if (isFailure(value)) return value;
        if (value === undefined) fields.delete(name);
        else if (!fits(value, type.fields?.get(name)?.type ?? dynType)) return noOverload;
        else fields.set(name, value);
      }
      return new StructValue(type, fields);
    };
  }

  #fold(fold: Fold): Step {
    const range = this.plan(fold.range);
    const init = this.plan(fold.init);
    const base = this.#scope.length;
    this.#scope.push(fold.accumulator);
    const result = this.plan(fold.result);
    this.#scope.push(fold.variable);
    if (fold.secondVariable !== undefined) this.#scope.push(fold.secondVariable);
    const condition = this.plan(fold.condition);
    const step = this.plan(fold.step);
    this.#scope.length = base;
    const two = fold.secondVariable !== undefined;
    return (frame) => {
      const over = range(frame);
      if (isFailure(over)) return over;
      const { locals } = frame;
      locals[base] = init(frame);
      const visit = (first: CelValue, second: CelValue | undefined): boolean => {
        locals[base + 1] = first;
        if (second !== undefined) locals[base + 2] = second;
        if (condition(frame) === false) return false;
        locals[base] = step(frame);
        return true;
      };
      if (over instanceof ListValue) {
        for (let index = 0; index < over.size; index++) {
          const item = over.at(index);
          if (!(two ? visit(BigInt(index), item) : visit(item, undefined))) break;
        }
      } else if (over instanceof MapValue) {
        for (const key of over.keys()) if (!visit(key, two ? over.get(key) : undefined)) break;
      } else return noOverload;
      return result(frame);
    };
  }
}

/** What an entry of a map or a field holds; `undefined`: it is optional and has nothing. */
function entryValue(value: CelValue, optional: boolean, name: () => string): CelValue | undefined {
  if (!optional || isFailure(value)) return value;
  if (value instanceof OptionalValue) return value.value;
  return new Failure(`cannot initialize optional entry '${name()}' from non-optional value ${valueText(value)}`);
}

function isConstant(expression: Expression): boolean {
  if (expression.kind === "list") return expression.elements.every(({ value, optional }) => !optional && isConstant(value));
  if (expression.kind === "map")
    return expression.entries.every(({ key, value, optional }) => !optional && isConstant(key) && isConstant(value));
  return expression.kind === "literal";
}

/** A value as cel-go prints it in failures. */
function valueText(value: CelValue | undefined): string {
  if (value instanceof ListValue) return `[${[...value].map(valueText).join(", ")}]`;
  if (value instanceof MapValue)
    return `{${value
      .keys()
      .map((key) => `${valueText(key)}: ${valueText(value.get(key))}`)
      .join(", ")}}`;
  return typeof value === "object" && value !== null ? typeOfLiteral(value).name : String(value);
}

const nothing: Step = () => noOverload;

/** A call of one overload needs no look at its arguments when their types are known all the way. */
const isCertain = (type: CelType): boolean => !isDynType(type) && type.kind !== "null_type" && type.parameters.every(isCertain);

function dispatch(overloads: readonly Overload[], values: readonly CelValue[]): Overload | undefined {
  return overloads.find(({ parameters }) => parameters.every((type, index) => values[index] !== undefined && fits(values[index], type)));
}

/** One side that decides is enough, also when the other fails. */
function logical(left: Step, right: Step, decisive: boolean): Step {
  return (frame) => {
    const first = left(frame);
    if (first === decisive) return decisive;
    const second = right(frame);
    if (second === decisive) return decisive;
    if (typeof first === "boolean" && typeof second === "boolean") return !decisive;
    if (isFailure(first)) return first;
    return isFailure(second) ? second : noOverload;
  };
}

function optionalAccess(from: Step, by: Step): Step {
  return (frame) => {
    const value = from(frame);
    if (isFailure(value)) return value;
    const key = by(frame);
    if (isFailure(key)) return key;
    frame.meter.spend(accessCost);
    return selectOptional(value, key);
  };
}

function optionalOr(left: Step, right: Step, whole: boolean): Step {
  return (frame) => {
    const value = left(frame);
    if (isFailure(value)) return value;
    frame.meter.spend(1);
    if (!(value instanceof OptionalValue)) return noOverload;
    if (value.value === undefined) return right(frame);
    return whole ? value : value.value;
  };
}
