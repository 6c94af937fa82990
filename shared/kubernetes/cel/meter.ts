/**
 * What an evaluation may still spend. Kubernetes limits the cost of one expression and of all expressions of a request (apiserver
 * `apis/cel/config.go`); the deadline is ours: however a rule spends its cost, it does not hold the process up for longer.
 */
export class Meter {
  cost = 0;
  readonly limit: number;
  readonly #expired: () => boolean;
  #nextCheck = checkEvery;

  constructor(limit: number, expired: () => boolean = () => false) {
    this.limit = limit;
    this.#expired = expired;
  }

  /** @throws CostExceeded */
  spend(cost: number): void {
    this.cost += cost;
    if (this.cost > this.limit) throw new CostExceeded("operation cancelled: actual cost limit exceeded");
    if (this.cost < this.#nextCheck) return;
    this.#nextCheck = this.cost + checkEvery;
    if (this.#expired()) throw new CostExceeded("operation cancelled: actual cost limit exceeded");
  }
}

const checkEvery = 2_000;

/** Ends an evaluation from within. */
export class CostExceeded extends Error {}

/** Of one expression. */
export const perCallLimit = 1_000_000;
/** Of all rules of one object. */
export const objectBudget = 10_000_000;
/** Of the match conditions of one webhook or policy binding. */
export const matchConditionsBudget = 2_500_000;
