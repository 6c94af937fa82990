import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  type KeysAndAttributes,
  PutItemCommand,
  QueryCommand,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  type WriteRequest,
} from "@aws-sdk/client-dynamodb";
import { tableErrorOf } from "./aws-failures.ts";
import { conditionExpression, fromItem, Placeholders, toItem, toKey, updateExpression, withPlaceholders } from "./expressions.ts";
import { type Item, type ItemKey, type QueryRange, type Table, TableError, type UnconditionalWrite, type Write } from "./table.ts";

const readBatch = 100;
const writeBatch = 25;

/**
 * The table in DynamoDB. The client should not retry by itself (`maxAttempts: 1`): the store's own retries know what may be repeated.
 */
export class AwsTable implements Table {
  readonly #client: DynamoDBClient;
  readonly #name: string;

  constructor(client: DynamoDBClient, name: string) {
    this.#client = client;
    this.#name = name;
  }

  get(key: ItemKey): Promise<Item | undefined> {
    return ask(async () => {
      const { Item } = await this.#client.send(new GetItemCommand({ TableName: this.#name, Key: toKey(key), ConsistentRead: true }));
      return Item && fromItem(Item);
    });
  }

  async getMany(keys: readonly ItemKey[]): Promise<(Item | undefined)[]> {
    const found = new Map<string, Item>();
    const waiting = new Map(keys.map((key) => [pathOf(key), key]));
    while (waiting.size > 0) {
      const batch = [...waiting].slice(0, readBatch);
      const left = new Set(
        (
          await this.#readBatch(
            batch.map(([, key]) => key),
            found,
          )
        ).map(pathOf),
      );
      if (left.size === batch.length) throw new TableError("Throttled", "no key of a batch was read");
      for (const [path] of batch) if (!left.has(path)) waiting.delete(path);
    }
    return keys.map((key) => found.get(pathOf(key)));
  }

  query(pk: string, { from, to, limit, keysOnly }: QueryRange = {}): Promise<{ items: Item[]; more: boolean }> {
    const using = new Placeholders();
    const parts = [`${using.path(["pk"])} = ${using.value(pk)}`];
    const sk = using.path(["sk"]);
    if (from !== undefined && to !== undefined) parts.push(`${sk} BETWEEN ${using.value(from)} AND ${using.value(to)}`);
    else if (from !== undefined) parts.push(`${sk} >= ${using.value(from)}`);
    else if (to !== undefined) parts.push(`${sk} <= ${using.value(to)}`);
    else delete using.names[sk];
    return ask(async () => {
      const { Items = [], LastEvaluatedKey } = await this.#client.send(
        new QueryCommand({
          TableName: this.#name,
          ConsistentRead: true,
          KeyConditionExpression: parts.join(" AND "),
          ...(limit !== undefined && { Limit: limit }),
          ...(keysOnly && { ProjectionExpression: `${using.path(["pk"])}, ${using.path(["sk"])}` }),
          ...withPlaceholders(using),
        }),
      );
      return { items: Items.map(fromItem), more: LastEvaluatedKey !== undefined };
    });
  }

  write(write: Write): Promise<Item | undefined> {
    return ask(async () => {
      const { Put, Delete, Update } = this.#toTransactItem(write);
      if (Put) await this.#client.send(new PutItemCommand(Put));
      if (Delete) await this.#client.send(new DeleteItemCommand(Delete));
      if (!Update) return undefined;
      const { Attributes } = await this.#client.send(new UpdateItemCommand({ ...Update, ReturnValues: "ALL_NEW" }));
      return Attributes && fromItem(Attributes);
    });
  }

  writeTogether(writes: readonly Write[], token: string): Promise<void> {
    return ask(async () => {
      const TransactItems = writes.map((write) => this.#toTransactItem(write));
      await this.#client.send(new TransactWriteItemsCommand({ TransactItems, ClientRequestToken: token }));
    });
  }

  async writeMany(writes: readonly UnconditionalWrite[]): Promise<void> {
    for (let waiting = writes.map(toWriteRequest); waiting.length > 0; ) {
      const left = await this.#writeBatch(waiting.slice(0, writeBatch));
      if (left.length === Math.min(waiting.length, writeBatch)) throw new TableError("Throttled", "no write of a batch was taken");
      waiting = [...left, ...waiting.slice(writeBatch)];
    }
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  #readBatch(keys: readonly ItemKey[], found: Map<string, Item>): Promise<ItemKey[]> {
    return ask(async () => {
      const request: KeysAndAttributes = { Keys: keys.map(toKey), ConsistentRead: true };
      const { Responses, UnprocessedKeys } = await this.#client.send(new BatchGetItemCommand({ RequestItems: { [this.#name]: request } }));
      for (const item of Responses?.[this.#name] ?? []) found.set(pathOf(fromItem(item)), fromItem(item));
      return (UnprocessedKeys?.[this.#name]?.Keys ?? []).map(fromItem);
    });
  }

  #writeBatch(requests: WriteRequest[]): Promise<WriteRequest[]> {
    return ask(async () => {
      const { UnprocessedItems } = await this.#client.send(new BatchWriteItemCommand({ RequestItems: { [this.#name]: requests } }));
      return UnprocessedItems?.[this.#name] ?? [];
    });
  }

  #toTransactItem(write: Write): TransactWriteItem {
    const using = new Placeholders();
    const condition = write.when && conditionExpression(write.when, using);
    const common = {
      TableName: this.#name,
      ...(condition !== undefined && { ConditionExpression: condition, ReturnValuesOnConditionCheckFailure: "ALL_OLD" as const }),
    };
    switch (write.kind) {
      case "put":
        return { Put: { ...common, Item: toItem(write.item), ...withPlaceholders(using) } };
      case "delete":
        return { Delete: { ...common, Key: toKey(write.key), ...withPlaceholders(using) } };
      case "update": {
        const UpdateExpression = updateExpression(write.update, using);
        return { Update: { ...common, Key: toKey(write.key), UpdateExpression, ...withPlaceholders(using) } };
      }
    }
  }
}

const pathOf = ({ pk, sk }: ItemKey): string => `${pk}\u0000${sk}`;

const toWriteRequest = (write: UnconditionalWrite): WriteRequest =>
  write.kind === "put" ? { PutRequest: { Item: toItem(write.item) } } : { DeleteRequest: { Key: toKey(write.key) } };

async function ask<T>(send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    throw tableErrorOf(error);
  }
}
