import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createLocalClient } from "../../shared/api/local-client.ts";
import { createResourceQuotaController } from "../../shared/controllers/resource-quota.ts";
import { pods, resourceQuotas } from "../../shared/kubernetes/known-resources.ts";
import { parseQuantity } from "../../shared/kubernetes/quantity.ts";
import { isStatus } from "../../shared/kubernetes/status-error.ts";
import type { Pod, ResourceQuota } from "../../shared/kubernetes/types.ts";
import { silentLog } from "../../shared/telemetry/log.ts";
import { createHarness, type Harness } from "../unit/api/harness.ts";

let api: Harness;
beforeAll(async () => {
  api = await createHarness();
});
afterAll(() => api.close());

type Step =
  | { readonly kind: "create"; readonly cpuMillis: number }
  | { readonly kind: "delete" | "end"; readonly which: number }
  | { readonly kind: "recount" };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("create" as const), cpuMillis: fc.integer({ min: 0, max: 400 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("delete" as const, "end" as const), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.constant({ kind: "recount" as const }) },
);

let namespaces = 0;

it("whatever comes, goes and is recounted at once, no quota is ever exceeded, and in the end it is counted right", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 4 }), async (rounds) => {
      const namespace = `quota-${namespaces++}`;
      const base = `/api/v1/namespaces/${namespace}`;
      const { mirror } = api.cluster;
      await api.call("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
      await api.call("POST", `${base}/serviceaccounts`, { metadata: { name: "default" } });
      const hard = { pods: "7", "requests.cpu": "1" };
      await api.call("POST", `${base}/resourcequotas`, { metadata: { name: "q" }, spec: { hard } });
      const controller = createResourceQuotaController();
      const client = createLocalClient(api.served.registry);
      const context = { view: mirror, client, clock: api.cluster.clock, log: silentLog, random: Math.random };
      const recount = async (): Promise<void> => {
        try {
          await controller.reconcile(`${namespace}/q`, context);
        } catch (error) {
          if (!isStatus(error, "Conflict")) throw error;
        }
      };
      const counted = (): Pod[] =>
        mirror
          .list(pods, namespace)
          .map(({ object }) => object as Pod)
          .filter(({ status }) => status?.phase !== "Succeeded");
      const cpuMillis = (): number =>
        counted().reduce((sum, { spec }) => sum + parseQuantity(spec?.containers[0]?.resources?.requests?.cpu ?? 0).milli, 0);
      const stop = mirror.onMove(() => {
        expect(counted().length).toBeLessThanOrEqual(7);
        expect(cpuMillis()).toBeLessThanOrEqual(1000);
      });
      await recount();
      let names = 0;
      for (const round of rounds) {
        const live = counted().map(({ metadata }) => metadata.name ?? "");
        const answers = await Promise.all(
          round.map(async (each) => {
            if (each.kind === "recount") return recount();
            if (each.kind === "create") {
              const resources = { requests: { cpu: `${each.cpuMillis}m` } };
              const spec = { containers: [{ name: "c", image: "i", resources }] };
              return (await api.call("POST", `${base}/pods`, { metadata: { name: `p${names++}` }, spec })).status;
            }
            const name = live[each.which % Math.max(1, live.length)] ?? "none";
            if (each.kind === "delete") return api.call("DELETE", `${base}/pods/${name}?gracePeriodSeconds=0`);
            const headers = { "content-type": "application/merge-patch+json" };
            return api.call("PATCH", `${base}/pods/${name}/status`, { status: { phase: "Succeeded" } }, headers);
          }),
        );
        for (const answer of answers) if (typeof answer === "number") expect([201, 403]).toContain(answer);
      }
      stop();
      await recount();
      const used = (mirror.get(resourceQuotas, namespace, "q")?.object as ResourceQuota | undefined)?.status?.used;
      expect([parseQuantity(used?.pods ?? -1).whole, parseQuantity(used?.["requests.cpu"] ?? -1).milli]).toEqual([
        counted().length,
        cpuMillis(),
      ]);
    }),
    { numRuns: 25 },
  );
});
