import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import type { Attribute, Condition, Item, ItemKey, Path, Update } from "./table.ts";

type DynamoItem = Record<string, AttributeValue>;

/** Collects the placeholders of DynamoDB's expressions. Every name goes through one: many words are reserved. */
export class Placeholders {
  readonly names: Record<string, string> = {};
  readonly values: DynamoItem = {};
  #count = 0;

  path(path: Path): string {
    return path.map((name) => this.#name(name)).join(".");
  }

  value(value: Attribute): string {
    const placeholder = `:v${this.#count++}`;
    this.values[placeholder] = toValue(value);
    return placeholder;
  }

  #name(name: string): string {
    for (const [placeholder, known] of Object.entries(this.names)) if (known === name) return placeholder;
    const placeholder = `#n${this.#count++}`;
    this.names[placeholder] = name;
    return placeholder;
  }
}

export function conditionExpression(condition: Condition, using: Placeholders): string {
  switch (condition.is) {
    case "absent":
      return `attribute_not_exists(${using.path(["pk"])})`;
    case "present":
      return `attribute_exists(${using.path(["pk"])})`;
    case "unset":
      return `attribute_not_exists(${using.path(condition.path)})`;
    case "equal":
      return `${using.path(condition.path)} = ${using.value(condition.value)}`;
    case "atMost":
      return `${using.path(condition.path)} <= ${using.value(condition.value)}`;
    case "all":
    case "any":
      return `(${condition.of.map((part) => conditionExpression(part, using)).join(condition.is === "all" ? " AND " : " OR ")})`;
  }
}

export function updateExpression(update: Update, using: Placeholders): string {
  const sets = Object.entries(update.set ?? {}).map(([name, value]) => `${using.path([name])} = ${using.value(value)}`);
  const { map, fields } = update.addWithin ?? { map: "", fields: {} };
  for (const [field, by] of Object.entries(fields)) {
    const path = using.path([map, field]);
    sets.push(`${path} = if_not_exists(${path}, ${using.value(0)}) + ${using.value(by)}`);
  }
  const adds = Object.entries(update.add ?? {}).map(([name, by]) => `${using.path([name])} ${using.value(by)}`);
  for (const [name, strings] of Object.entries(update.join ?? {})) adds.push(`${using.path([name])} ${using.value(new Set(strings))}`);
  return [...(sets.length > 0 ? [`SET ${sets.join(", ")}`] : []), ...(adds.length > 0 ? [`ADD ${adds.join(", ")}`] : [])].join(" ");
}

/** Empty maps are left out: DynamoDB refuses them. */
export function withPlaceholders({ names, values }: Placeholders) {
  return {
    ...(Object.keys(names).length > 0 && { ExpressionAttributeNames: names }),
    ...(Object.keys(values).length > 0 && { ExpressionAttributeValues: values }),
  };
}

export const toKey = ({ pk, sk }: ItemKey): DynamoItem => ({ pk: { S: pk }, sk: { S: sk } });
export const toItem = (item: Item): DynamoItem => Object.fromEntries(Object.entries(item).map(([name, value]) => [name, toValue(value)]));

function toValue(value: Attribute): AttributeValue {
  if (typeof value === "string") return { S: value };
  if (typeof value === "number") return { N: String(value) };
  if (typeof value === "boolean") return { BOOL: value };
  if (value instanceof Uint8Array) return { B: value };
  if (value instanceof Set) return { SS: [...value] };
  return { M: Object.fromEntries(Object.entries(value).map(([field, number]) => [field, { N: String(number) }])) };
}

/** Attributes of types that the store does not write are left out. */
export function fromItem(item: DynamoItem): Item {
  const attributes: Record<string, Attribute> = {};
  for (const [name, value] of Object.entries(item)) {
    const attribute = fromValue(value);
    if (attribute !== undefined) attributes[name] = attribute;
  }
  return { ...attributes, pk: item.pk?.S ?? "", sk: item.sk?.S ?? "" };
}

function fromValue(value: AttributeValue): Attribute | undefined {
  if (value.S !== undefined) return value.S;
  if (value.N !== undefined) return Number(value.N);
  if (value.BOOL !== undefined) return value.BOOL;
  if (value.B !== undefined) return value.B;
  if (value.SS !== undefined) return new Set(value.SS);
  if (value.M !== undefined) return Object.fromEntries(Object.entries(value.M).map(([field, { N }]) => [field, Number(N)]));
  return undefined;
}
