/** Completion indexes as ascending intervals that neither touch nor overlap, both ends included. */
export type IndexIntervals = readonly IndexInterval[];

interface IndexInterval {
  readonly first: number;
  readonly last: number;
}

/** What `status.completedIndexes` and its like say, e.g. `1,3-5,7`; what is not below `completions` or cannot be read is passed over. */
export function parseIndexes(text: string | undefined, completions: number): IndexIntervals {
  const intervals = (text ?? "")
    .split(",")
    .filter((part) => /^\d+(-\d+)?$/.test(part))
    .map((part) => part.split("-").map(Number))
    .map(([first = 0, last = first]) => ({ first, last: Math.min(last, completions - 1) }));
  return mergeIndexes(intervals.filter(({ first, last }) => first <= last));
}

/** Intervals of two are written as two indexes: `1,2,4-6`. */
export function printIndexes(indexes: IndexIntervals): string {
  return indexes
    .map(({ first, last }) => (first === last ? `${first}` : last === first + 1 ? `${first},${last}` : `${first}-${last}`))
    .join(",");
}

/** The union of intervals in any order. */
export function mergeIndexes(...lists: IndexIntervals[]): IndexIntervals {
  const merged: { first: number; last: number }[] = [];
  for (const { first, last } of lists.flat().sort((a, b) => a.first - b.first)) {
    const before = merged.at(-1);
    if (before && first <= before.last + 1) before.last = Math.max(before.last, last);
    else merged.push({ first, last });
  }
  return merged;
}

export function intervalsOf(indexes: Iterable<number>): IndexIntervals {
  return mergeIndexes([...indexes].map((index) => ({ first: index, last: index })));
}

export function countIndexes(indexes: IndexIntervals): number {
  return indexes.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

export function hasIndex(indexes: IndexIntervals, index: number): boolean {
  let [low, high] = [0, indexes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((indexes[middle]?.last ?? index) < index) low = middle + 1;
    else high = middle;
  }
  return (indexes[low]?.first ?? Number.POSITIVE_INFINITY) <= index;
}

/** How many indexes are in both. */
export function countCommonIndexes(one: IndexIntervals, other: IndexIntervals): number {
  let [i, j, common] = [0, 0, 0];
  for (let [a, b] = [one[0], other[0]]; a && b; [a, b] = [one[i], other[j]]) {
    common += Math.max(0, Math.min(a.last, b.last) - Math.max(a.first, b.first) + 1);
    if (a.last <= b.last) i++;
    if (b.last <= a.last) j++;
  }
  return common;
}

/** The first `count` indexes below `completions` that are not among `taken`. */
export function firstFreeIndexes(taken: IndexIntervals, count: number, completions: number): number[] {
  const free: number[] = [];
  let candidate = 0;
  for (const { first, last } of [...taken, { first: completions, last: completions }]) {
    for (; candidate < Math.min(first, completions) && free.length < count; candidate++) free.push(candidate);
    candidate = Math.max(candidate, last + 1);
  }
  return free;
}
