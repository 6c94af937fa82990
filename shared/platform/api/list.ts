import type { Page } from "../records.ts";
import type { Cursors } from "./cursor.ts";

/** Turns `limit` and `cursor` of a request into a page of records, and that into what is shown. `list` names it: a cursor is good only there. */
export async function showPage<R, T>(
  cursors: Cursors,
  list: string,
  query: { limit: number; cursor?: string },
  read: (page: { from: string | undefined; limit: number }) => Promise<Page<R>>,
  show: (records: readonly R[]) => Promise<T[]> | T[],
): Promise<{ items: T[]; nextCursor: string | null }> {
  const from = query.cursor === undefined ? undefined : cursors.open(list, query.cursor);
  const page = await read({ from, limit: query.limit });
  return {
    items: await show(page.items.map(({ value }) => value)),
    nextCursor: page.next === undefined ? null : cursors.seal(list, page.next),
  };
}
