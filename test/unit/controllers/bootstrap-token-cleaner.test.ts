import { expect, it } from "vitest";
import { createBootstrapTokenCleaner } from "../../../shared/controllers/bootstrap-token-cleaner.ts";
import { formatTime } from "../../../shared/controllers/timestamp.ts";
import { secrets } from "../../../shared/kubernetes/known-resources.ts";
import type { Secret } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { runControllers } from "./run-controllers.ts";

it("bootstrap tokens are deleted when they expire, and other Secrets are not", async () => {
  const cluster = createFakeCluster();
  const controllers = await runControllers(cluster, createBootstrapTokenCleaner());
  const make = (name: string, expiresInSeconds: number | undefined, change: Partial<Secret> = {}) =>
    cluster.client.create(secrets, {
      ...{ apiVersion: "v1", kind: "Secret", type: "bootstrap.kubernetes.io/token", metadata: { namespace: "kube-system", name } },
      ...(expiresInSeconds !== undefined && {
        data: { expiration: Buffer.from(formatTime(cluster.clock.now() + expiresInSeconds * 1000)).toString("base64") },
      }),
      ...change,
    } as Secret);
  await make("soon", 10);
  await make("later", 100);
  await make("never", undefined);
  await make("opaque", 10, { type: "Opaque" });
  await make("elsewhere", 10, { metadata: { namespace: "default", name: "elsewhere" } });
  await controllers.settle();
  const names = () => cluster.all<Secret>(secrets).map(({ metadata }) => metadata.name);
  expect(names()).toHaveLength(5);
  await controllers.pass(11);
  expect(names()).toEqual(["elsewhere", "later", "never", "opaque"]);
});
