import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "../../shared/clock.ts";
import { AwsTable } from "../../shared/store/dynamo/aws-table.ts";
import { createTable } from "../../shared/store/dynamo/create-table.ts";
import { DynamoStore } from "../../shared/store/dynamo/dynamo-store.ts";
import { createAesSealer } from "../../shared/store/sealer.ts";
import { describeWith, type Need } from "../e2e/needs.ts";
import { checkConcurrentWriters } from "./concurrent-writers.ts";
import { checkItems } from "./dynamo-items.ts";
import { checkLostAnswers } from "./dynamo-lost-answers.ts";
import { type DynamoEmulator, fetchDynamoDbLocal, startDynamoDbLocal } from "./dynamodb-local.ts";
import { checkKilledWriters } from "./killed-writers.ts";
import { fetchMinistack, startMinistack } from "./ministack.ts";
import { storeContract } from "./store.contract.ts";

const local = await fetchDynamoDbLocal();
const ministack = await fetchMinistack();

const sealer = createAesSealer(randomBytes(32));
const storeOn = (emulator: DynamoEmulator, name: string) =>
  new DynamoStore({ table: new AwsTable(emulator.client(), name), clock: systemClock, random: Math.random, makeId: randomUUID, sealer });

async function makeTable(emulator: DynamoEmulator): Promise<string> {
  const name = `t${randomUUID()}`;
  const admin = emulator.client();
  await createTable(admin, name);
  admin.destroy();
  return name;
}

/** What the store promises, over an emulator of DynamoDB. */
function onEmulator(need: Need, start: () => Promise<DynamoEmulator>, more: (emulator: () => DynamoEmulator) => void): void {
  describeWith([need], `DynamoStore on ${need.name}`, () => {
    let emulator: DynamoEmulator;
    beforeAll(async () => {
      emulator = await start();
    }, 60_000);
    afterAll(() => emulator.stop());

    it("loses, repeats and reorders nothing while eight stores write to one cluster", async () => {
      const name = await makeTable(emulator);
      const writers = Array.from({ length: 8 }, () => storeOn(emulator, name));
      const readers = Array.from({ length: 2 }, () => storeOn(emulator, name));
      await checkConcurrentWriters({ writers, readers, rounds: 2 });
      await Promise.all([...writers, ...readers].map((store) => store.close()));
    });

    it("writes once what the SDK or the store sends twice because an answer was lost", async () => {
      await checkLostAnswers(emulator, await makeTable(emulator));
    });

    it("keeps large objects in parts, Secrets sealed, and gives every log item its time to go", async () => {
      await checkItems(emulator, await makeTable(emulator));
    });

    more(() => emulator);

    storeContract(need.name, async () => {
      const name = await makeTable(emulator);
      const open = () => storeOn(emulator, name);
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
}

onEmulator(
  local.need,
  () => startDynamoDbLocal(local.folder),
  (emulator) => {
    for (const keys of ["one", "many"] as const)
      it(`loses nothing acknowledged, and holds no reader up, while eight processes write to ${keys} key${keys === "one" ? "" : "s"} and are killed at every step of a commit`, async () => {
        const outcome = await checkKilledWriters({ endpoint: emulator().endpoint, table: await makeTable(emulator()), keys });
        expect(outcome.killed).toBe(keys === "one" ? 10 : 15);
      }, 240_000);
  },
);

onEmulator(
  ministack.need,
  () => startMinistack(ministack.program),
  () => {},
);
