import { flattenedVerify } from "jose";
import { expect, it } from "vitest";
import { createBootstrapSigner } from "../../../shared/controllers/bootstrap-signer.ts";
import { configMaps, secrets } from "../../../shared/kubernetes/known-resources.ts";
import type { ConfigMap, Secret } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { runControllers } from "./run-controllers.ts";

const key = "0123456789abcdef";
const token = (id: string, change: Record<string, string> = {}): Secret => ({
  ...{ apiVersion: "v1", kind: "Secret", type: "bootstrap.kubernetes.io/token" },
  metadata: { namespace: "kube-system", name: `bootstrap-token-${id}` },
  data: Object.fromEntries(
    Object.entries({ "token-id": id, "token-secret": key, "usage-bootstrap-signing": "true", ...change }).map(([name, value]) => [
      name,
      Buffer.from(value).toString("base64"),
    ]),
  ),
});

it("cluster-info is signed with every bootstrap token that is for it, as long as there is one", async () => {
  const cluster = createFakeCluster();
  const controllers = await runControllers(cluster, createBootstrapSigner());
  const read = () => cluster.get<ConfigMap>(configMaps, "kube-public", "cluster-info")?.data ?? {};
  await cluster.client.create(secrets, token("aaaaaa"));
  await cluster.client.create(secrets, token("bbbbbb", { "usage-bootstrap-signing": "false" }));
  await cluster.client.create(secrets, token("cccccc", { expiration: "2001-01-01T00:00:00Z" }));
  await cluster.client.create(secrets, token("dddddd", { "token-id": "eeeeee" }));
  const info = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "kube-public", name: "cluster-info" } };
  await cluster.client.create(configMaps, { ...info, data: { kubeconfig: "config", "jws-kubeconfig-zzzzzz": "stale" } } as ConfigMap);
  await controllers.settle();
  expect(Object.keys(read()).sort()).toEqual(["jws-kubeconfig-aaaaaa", "kubeconfig"]);
  const [header = "", content, signature = ""] = (read()["jws-kubeconfig-aaaaaa"] ?? "").split(".");
  expect(content).toBe("");
  const payload = Buffer.from("config").toString("base64url");
  const { protectedHeader } = await flattenedVerify({ protected: header, payload, signature }, Buffer.from(key));
  expect(protectedHeader).toEqual({ alg: "HS256", kid: "aaaaaa" });
  const { revision } = cluster.view;
  await controllers.settle();
  expect(cluster.view.revision).toBe(revision);
  await cluster.client.delete(secrets, "kube-system", "bootstrap-token-aaaaaa");
  await controllers.settle();
  expect(read()).toEqual({ kubeconfig: "config" });
});
