import type { Bindings } from "../cel/evaluate.ts";
import { Meter, perCallLimit } from "../cel/meter.ts";
import type { CelType } from "../cel/type.ts";
import { type CelValue, ComputedObject, Failure } from "../cel/value.ts";
import type { CompiledVariable } from "./compiled-policy.ts";
import type { AdmissionExpression } from "./expression.ts";

export const outOfBudget = "validation failed due to running out of cost budget, no further validation rules will be run";

export type Evaluated = { readonly kind: "value"; readonly value: CelValue } | { readonly kind: "error"; readonly message: string };

/** Expressions that share a cost budget, and the variables that they compute between them, each once (apiserver `plugin/cel/condition.go`). */
export class Evaluation {
  #remaining: number;
  readonly #expired: () => boolean;
  readonly #bindings: Bindings;
  /** Of the expression that is evaluated; what its variables cost counts against it. */
  #meter: Meter;

  /** `variables` are computed when something asks for them. */
  constructor(
    bindings: Bindings,
    budget: number,
    expired: () => boolean,
    variables?: { readonly compiled: readonly CompiledVariable[]; readonly type: CelType },
  ) {
    this.#remaining = budget;
    this.#expired = expired;
    this.#meter = new Meter(budget, expired);
    const computed = variables && new ComputedObject(variables.type, (name) => this.#variable(variables.compiled, name));
    this.#bindings = computed ? (name) => (name === "variables" ? computed : bindings(name)) : bindings;
  }

  get exhausted(): boolean {
    return this.#remaining < 0;
  }

  evaluate(expression: AdmissionExpression): Evaluated {
    if (this.exhausted) return { kind: "error", message: outOfBudget };
    if (expression.kind === "invalid") return { kind: "error", message: `compilation error: ${expression.problem}` };
    this.#meter = new Meter(perCallLimit, this.#expired);
    const value = expression.program.evaluate(this.#bindings, this.#meter);
    this.#remaining -= this.#meter.cost;
    if (this.#remaining < 0) return { kind: "error", message: outOfBudget };
    if (value instanceof Failure) return { kind: "error", message: `expression '${expression.text}' resulted in error: ${value.message}` };
    return { kind: "value", value };
  }

  #variable(compiled: readonly CompiledVariable[], name: string): CelValue | undefined {
    const variable = compiled.find((each) => each.name === name);
    if (!variable) return undefined;
    const { expression } = variable;
    if (expression.kind === "invalid") return new Failure(`composited variable "${name}" fails to compile: ${expression.problem}`);
    const value = expression.program.evaluate(this.#bindings, this.#meter);
    return value instanceof Failure ? new Failure(`composited variable "${name}" fails to evaluate: ${value.message}`) : value;
  }
}
