import { CreateTableCommand, type CreateTableCommandInput, type DynamoDBClient, UpdateTimeToLiveCommand } from "@aws-sdk/client-dynamodb";

/** The attribute by which DynamoDB deletes log entries, in seconds since 1970. */
export const ttlAttribute = "ttl";

const shape = {
  AttributeDefinitions: [
    { AttributeName: "pk", AttributeType: "S" },
    { AttributeName: "sk", AttributeType: "S" },
  ],
  KeySchema: [
    { AttributeName: "pk", KeyType: "HASH" },
    { AttributeName: "sk", KeyType: "RANGE" },
  ],
  BillingMode: "PAY_PER_REQUEST",
} as const satisfies Partial<CreateTableCommandInput>;

/** Makes the store's table where no infrastructure code does: in an emulator, or for a host of one's own. */
export async function createTable(client: DynamoDBClient, name: string): Promise<void> {
  const { AttributeDefinitions, KeySchema, BillingMode } = shape;
  await client.send(
    new CreateTableCommand({ TableName: name, AttributeDefinitions: [...AttributeDefinitions], KeySchema: [...KeySchema], BillingMode }),
  );
  const TimeToLiveSpecification = { Enabled: true, AttributeName: ttlAttribute };
  await client.send(new UpdateTimeToLiveCommand({ TableName: name, TimeToLiveSpecification }));
}
