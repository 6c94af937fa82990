import { generateKeyPairSync } from "node:crypto";
import { expect, it } from "vitest";
import { createClustersById } from "../../../shared/host/clusters-by-id.ts";
import type { ClusterRecord } from "../../../shared/platform/records.ts";
import { StoreError } from "../../../shared/store/store.ts";

const key = { group: "", resource: "secrets", namespace: "kube-system", name: "bootstrap-token-abcdef" };
const caKeyPem = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const byId = (state: ClusterRecord["state"] | undefined, fail = false) =>
  createClustersById({
    find: async (id) => (state === undefined ? undefined : { value: { tenant: "acme", id, state } as ClusterRecord }),
    storeOf: () => ({
      async latest() {
        if (fail) throw new StoreError("NoSuchCluster", "it is gone");
        return [undefined];
      },
    }),
    caKeyPem: () => caKeyPem,
  });

it("knows the authority of a cluster that lives, and of no other", async () => {
  expect((await byId("ready").findAuthority("c"))?.cluster).toEqual({ tenant: "acme", cluster: "c" });
  expect(await byId("deleting").findAuthority("c")).toBeUndefined();
  expect(await byId(undefined).findAuthority("c")).toBeUndefined();
});

it("finds no secret in a cluster that is deleted while it is asked", async () => {
  expect(await byId("ready", true).findSecret("c", key)).toBeUndefined();
  expect(await byId("deleting").findSecret("c", key)).toBeUndefined();
});
