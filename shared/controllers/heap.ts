/** A priority queue: adding and taking cost the logarithm of what is in it. */
export interface Heap<T> {
  push(item: T): void;
  pop(): T | undefined;
  first(): T | undefined;
  clear(): void;
  readonly size: number;
}

export function createHeap<T>(isFirst: (a: T, b: T) => boolean): Heap<T> {
  const items: T[] = [];
  return {
    push(item) {
      let at = items.length;
      items.push(item);
      while (at > 0) {
        const parent = (at - 1) >> 1;
        const above = items[parent];
        if (above === undefined || !isFirst(item, above)) break;
        items[at] = above;
        at = parent;
      }
      items[at] = item;
    },
    pop() {
      const top = items[0];
      const last = items.pop();
      if (last === undefined || items.length === 0) return top;
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        const [left, right] = [items[child], items[child + 1]];
        if (left === undefined) break;
        if (right !== undefined && isFirst(right, left)) child++;
        const smaller = items[child];
        if (smaller === undefined || !isFirst(smaller, last)) break;
        items[at] = smaller;
        at = child;
      }
      items[at] = last;
      return top;
    },
    first: () => items[0],
    clear() {
      items.length = 0;
    },
    get size() {
      return items.length;
    },
  };
}
