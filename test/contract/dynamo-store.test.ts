import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import { systemClock } from "../../shared/clock.ts";
import { AwsTable } from "../../shared/store/dynamo/aws-table.ts";
import { createTable } from "../../shared/store/dynamo/create-table.ts";
import { DynamoStore } from "../../shared/store/dynamo/dynamo-store.ts";
import { createAesSealer } from "../../shared/store/sealer.ts";
import { describeWith } from "../e2e/needs.ts";
import { type DynamoDbLocal, fetchDynamoDbLocal, startDynamoDbLocal } from "./dynamodb-local.ts";
import { storeContract } from "./store.contract.ts";

const { need, folder } = await fetchDynamoDbLocal();

describeWith([need], "DynamoStore on DynamoDB Local", () => {
  let local: DynamoDbLocal;
  beforeAll(async () => {
    local = await startDynamoDbLocal(folder);
  }, 60_000);
  afterAll(() => local.stop());

  storeContract("dynamodb", async () => {
    const name = `t${randomUUID()}`;
    const admin = local.client();
    await createTable(admin, name);
    admin.destroy();
    const sealer = createAesSealer(randomBytes(32));
    const open = () =>
      new DynamoStore({
        table: new AwsTable(local.client(), name),
        clock: systemClock,
        random: Math.random,
        makeId: randomUUID,
        sealer,
      });
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
