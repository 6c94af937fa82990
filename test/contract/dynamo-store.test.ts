import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, it } from "vitest";
import { systemClock } from "../../shared/clock.ts";
import { AwsTable } from "../../shared/store/dynamo/aws-table.ts";
import { createTable } from "../../shared/store/dynamo/create-table.ts";
import { DynamoStore } from "../../shared/store/dynamo/dynamo-store.ts";
import { createAesSealer } from "../../shared/store/sealer.ts";
import { describeWith } from "../e2e/needs.ts";
import { checkConcurrentWriters } from "./concurrent-writers.ts";
import { type DynamoDbLocal, fetchDynamoDbLocal, startDynamoDbLocal } from "./dynamodb-local.ts";
import { storeContract } from "./store.contract.ts";

const { need, folder } = await fetchDynamoDbLocal();

describeWith([need], "DynamoStore on DynamoDB Local", () => {
  let local: DynamoDbLocal;
  beforeAll(async () => {
    local = await startDynamoDbLocal(folder);
  }, 60_000);
  afterAll(() => local.stop());

  const sealer = createAesSealer(randomBytes(32));
  const storeOn = (name: string) =>
    new DynamoStore({ table: new AwsTable(local.client(), name), clock: systemClock, random: Math.random, makeId: randomUUID, sealer });

  async function makeTable(): Promise<string> {
    const name = `t${randomUUID()}`;
    const admin = local.client();
    await createTable(admin, name);
    admin.destroy();
    return name;
  }

  it("loses, repeats and reorders nothing while eight stores write to one cluster", async () => {
    const name = await makeTable();
    const writers = Array.from({ length: 8 }, () => storeOn(name));
    const readers = Array.from({ length: 2 }, () => storeOn(name));
    await checkConcurrentWriters({ writers, readers, rounds: 2 });
    await Promise.all([...writers, ...readers].map((store) => store.close()));
  });

  storeContract("dynamodb", async () => {
    const name = await makeTable();
    const open = () => storeOn(name);
    let store = open();
    return {
      store,
      reopen: async () => {
        await store.close();
        store = open();
        return store;
      },
      dispose: () => store.close(),
    };
  });
});
