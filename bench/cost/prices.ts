/**
 * On-demand prices in us-east-1, in US dollars, as published on 2026-11-26 at the latest (docs/cost.md says where each was read). Without free tiers, savings plans and taxes.
 */
export const prices = {
  /** DynamoDB standard tables, a million request units. */
  writeUnits: 0.625,
  readUnits: 0.125,
  /** A GB-month of storage, and of its point-in-time recovery. */
  storageGb: 0.25,
  recoveryGb: 0.2,
  /** Lambda on arm64: a million requests, a GB-second. */
  invocations: 0.2,
  gbSeconds: 0.0000133334,
  /** Fargate on arm64: an hour of a vCPU, of a GB. */
  vcpuHours: 0.03238,
  memoryGbHours: 0.00356,
  /** An hour of a public IPv4 address, of a network load balancer, and of one of its units, which holds so many TLS connections. */
  publicAddressHours: 0.005,
  balancerHours: 0.0225,
  balancerUnitHours: 0.006,
  connectionsOfUnit: 3000,
} as const;

export const hoursInMonth = 730;

/** What was used of what DynamoDB and Lambda bill. */
export interface Bill {
  readonly readUnits: number;
  readonly writeUnits: number;
  readonly invocations: number;
  readonly gbSeconds: number;
}

export const nothing: Bill = { readUnits: 0, writeUnits: 0, invocations: 0, gbSeconds: 0 };

export const plus = (a: Bill, b: Bill, times = 1): Bill => ({
  readUnits: a.readUnits + b.readUnits * times,
  writeUnits: a.writeUnits + b.writeUnits * times,
  invocations: a.invocations + b.invocations * times,
  gbSeconds: a.gbSeconds + b.gbSeconds * times,
});

export const scaled = (bill: Bill, times: number): Bill => plus(nothing, bill, times);

export const dollarsOf = ({ readUnits, writeUnits, invocations, gbSeconds }: Bill): number =>
  (readUnits * prices.readUnits + writeUnits * prices.writeUnits + invocations * prices.invocations) / 1e6 + gbSeconds * prices.gbSeconds;
