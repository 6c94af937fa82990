import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";

export interface Counted {
  /** Round trips. */
  readonly requests: number;
  /** Items that came back. */
  readonly items: number;
}

interface Answer {
  readonly Items?: readonly unknown[];
  readonly Item?: unknown;
  readonly Responses?: Readonly<Record<string, readonly unknown[]>>;
}

/** Counts what goes through a client. `onItems` sees what comes back; `take` answers what was counted since the last call. */
export function countRequests(client: DynamoDBClient, onItems: (items: readonly unknown[]) => void = () => {}): { take(): Counted } {
  let current = { requests: 0, items: 0 };
  client.middlewareStack.add(
    (next) => async (args) => {
      current.requests++;
      const result = await next(args);
      const { Items = [], Item, Responses = {} } = result.output as Answer;
      const items = [...Items, ...(Item === undefined ? [] : [Item]), ...Object.values(Responses).flat()];
      current.items += items.length;
      onItems(items);
      return result;
    },
    { step: "deserialize", priority: "high", name: "countRequests" },
  );
  return {
    take() {
      const taken = current;
      current = { requests: 0, items: 0 };
      return taken;
    },
  };
}
