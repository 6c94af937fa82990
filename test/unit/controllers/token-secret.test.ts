import { describe, expect, it } from "vitest";
import { createTokenSecretController } from "../../../shared/controllers/token-secret.ts";
import { secrets, serviceAccounts } from "../../../shared/kubernetes/known-resources.ts";
import type { Secret, ServiceAccount } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { runControllers } from "./run-controllers.ts";

const secret = (change: Partial<Secret> = {}): Secret => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { namespace: "shop", name: "bot-token", annotations: { "kubernetes.io/service-account.name": "bot" } },
  type: "kubernetes.io/service-account-token",
  ...change,
});
const account: ServiceAccount = { apiVersion: "v1", kind: "ServiceAccount", metadata: { namespace: "shop", name: "bot" } };
const text = (value: string | undefined) => Buffer.from(value ?? "", "base64").toString();

async function setUp() {
  const cluster = createFakeCluster();
  let issued = 0;
  const tokens = {
    issueKept: async (request: { serviceAccount: { uid: string }; secretName: string }) =>
      `${request.secretName} of ${request.serviceAccount.uid} #${++issued}`,
  };
  const controllers = await runControllers(cluster, createTokenSecretController({ tokens, caPem: "CA" }));
  const read = () => cluster.get<Secret>(secrets, "shop", "bot-token");
  return { cluster, controllers, read };
}

describe("a token Secret", () => {
  it("is given the account's token, the authority, its namespace and the account's uid", async () => {
    const { cluster, controllers, read } = await setUp();
    const { object } = await cluster.client.create(serviceAccounts, account);
    await cluster.client.create(secrets, secret());
    await controllers.settle();
    expect(read()?.metadata.annotations?.["kubernetes.io/service-account.uid"]).toBe(object.metadata.uid);
    const { token, "ca.crt": ca, namespace } = read()?.data ?? {};
    expect([token, ca, namespace].map(text)).toEqual([`bot-token of ${object.metadata.uid} #1`, "CA", "shop"]);
    expect(cluster.writes.filter((write) => write.startsWith("update"))).toHaveLength(1);
  });

  it("has its authority put right, and keeps its token", async () => {
    const { cluster, controllers, read } = await setUp();
    await cluster.client.create(serviceAccounts, account);
    await cluster.client.create(secrets, secret());
    await controllers.settle();
    await cluster.client.patch(secrets, "shop", "bot-token", { type: "merge", body: { data: { "ca.crt": "eA==" } } });
    await controllers.settle();
    expect([read()?.data?.["ca.crt"], read()?.data?.token].map(text)).toEqual(["CA", expect.stringContaining("#1")]);
  });

  it("goes with its account, and where there is none or another of its name", async () => {
    const { cluster, controllers, read } = await setUp();
    await cluster.client.create(secrets, secret());
    await controllers.settle();
    expect(read()).toBeUndefined();
    await cluster.client.create(serviceAccounts, account);
    await cluster.client.create(secrets, secret());
    await controllers.settle();
    expect(read()).toBeDefined();
    await cluster.client.delete(serviceAccounts, "shop", "bot");
    await cluster.client.create(serviceAccounts, account);
    await controllers.settle();
    expect(read()).toBeUndefined();
  });

  it("is no longer named by its account when it is gone", async () => {
    const { cluster, controllers } = await setUp();
    await cluster.client.create(serviceAccounts, { ...account, secrets: [{ name: "bot-token" }, { name: "other" }] } as ServiceAccount);
    await cluster.client.create(secrets, secret());
    await controllers.settle();
    await cluster.client.delete(secrets, "shop", "bot-token");
    await controllers.settle();
    expect(cluster.get<ServiceAccount>(serviceAccounts, "shop", "bot")?.secrets).toEqual([{ name: "other" }]);
  });

  it("of another type is left alone", async () => {
    const { cluster, controllers, read } = await setUp();
    await cluster.client.create(secrets, secret({ type: "Opaque" }));
    await controllers.settle();
    expect(read()?.data).toBeUndefined();
  });
});
