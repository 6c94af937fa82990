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
