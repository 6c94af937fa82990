import { goQuote } from "../go-text.ts";

/** How many indexes a list such as `0,2-5` names, each below `completions`; or what is wrong with it, in Kubernetes' words. */
export function countIndexes(text: string, completions: number): number | string {
  if (text === "") return 0;
  let last: number | undefined;
  let total = 0;
  for (const fragment of text.split(",")) {
    const interval = parseInterval(fragment, completions);
    if (typeof interval === "string") return interval;
    const [first, end] = interval;
    if (last !== undefined && last >= first) return `non-increasing order, previous: ${last}, current: ${first}`;
    total += end - first + 1;
    last = end;
  }
  return total;
}

function parseInterval(fragment: string, completions: number): readonly [first: number, end: number] | string {
  const limits = fragment.split("-");
  if (limits.length > 2) {
    return `the fragment ${goQuote(fragment)} violates the requirement that an index interval can have at most two parts separated by '-'`;
  }
  const numbers: number[] = [];
  for (const limit of limits) {
    if (!/^[+]?\d+$/.test(limit)) return `cannot convert string to integer for index: ${goQuote(limit)}`;
    const number = Number(limit);
    if (number >= completions) return `too large index: ${goQuote(limit)}`;
    numbers.push(number);
  }
  const [first = 0, end] = numbers;
  if (end === undefined) return [first, first];
  return first >= end ? `non-increasing order, previous: ${first}, current: ${end}` : [first, end];
}

/** The first index that both lists name; what cannot be read in either is passed over. */
export function commonIndex(one: string, other: string, completions: number): number | undefined {
  if (one === "" || other === "") return undefined;
  const others = readable(other, completions);
  for (const [first, end] of readable(one, completions)) {
    const common = others.find((interval) => first <= interval[1] && interval[0] <= end);
    if (common) return Math.max(first, common[0]);
  }
  return undefined;
}

function readable(text: string, completions: number): (readonly [first: number, end: number])[] {
  return text
    .split(",")
    .map((fragment) => parseInterval(fragment, completions))
    .filter((interval) => typeof interval !== "string");
}
