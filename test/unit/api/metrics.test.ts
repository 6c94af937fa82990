import { afterAll, beforeAll, expect, it } from "vitest";
import { createHarness, type Harness } from "./harness.ts";

let api: Harness;
beforeAll(async () => {
  api = await createHarness();
});
afterAll(() => api.close());

const base = "/api/v1/namespaces/default/configmaps";
const metrics = async (): Promise<string[]> => (await api.call("GET", "/metrics")).text.split("\n");
const labels = (scope: string, verb: string, dryRun = "") =>
  `component="apiserver",dry_run="${dryRun}",group="",resource="configmaps",scope="${scope}",subresource="",verb="${verb}",version="v1"`;

it("counts requests by what they are and how they are answered", async () => {
  await api.call("POST", base, { metadata: { name: "a" } });
  await api.call("POST", base, { metadata: { name: "a" } });
  await api.call("POST", `${base}?dryRun=All`, { metadata: { name: "b" } });
  await api.call("GET", base);
  await api.call("GET", "/api/v1/configmaps");
  const applied = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } };
  await api.call("PATCH", `${base}/a?fieldManager=m`, applied, { "content-type": "application/apply-patch+yaml" });
  await api.call("DELETE", base);
  const secret = { metadata: { name: "s" } };
  await api.call("POST", "/api/v1/namespaces/default/secrets", secret);
  const lines = await metrics();
  expect(lines).toEqual(
    expect.arrayContaining([
      `apiserver_request_total{code="201",${labels("resource", "POST")}} 1`,
      `apiserver_request_total{code="409",${labels("resource", "POST")}} 1`,
      `apiserver_request_total{code="201",${labels("resource", "POST", "All")}} 1`,
      `apiserver_request_total{code="200",${labels("namespace", "LIST")}} 1`,
      `apiserver_request_total{code="200",${labels("cluster", "LIST")}} 1`,
      `apiserver_request_total{code="200",${labels("resource", "APPLY")}} 1`,
      `apiserver_request_total{code="200",${labels("namespace", "DELETECOLLECTION")}} 1`,
      `apiserver_request_duration_seconds_count{${labels("resource", "POST")}} 2`,
      `apiserver_request_duration_seconds_bucket{${labels("resource", "POST")},le="60"} 2`,
      `apiserver_request_duration_seconds_bucket{${labels("resource", "POST")},le="+Inf"} 2`,
      `apiserver_storage_objects{resource="secrets"} 1`,
      `apiserver_storage_objects{resource="deployments.apps"} 0`,
      'apiserver_current_inflight_requests{request_kind="mutating"} 0',
      "# TYPE apiserver_request_duration_seconds histogram",
    ]),
  );
});

it("shows streams while they are open", async () => {
  const series = `apiserver_longrunning_requests{${labels("namespace", "WATCH").replace('dry_run="",', "")}} 1`;
  const watch = await api.watch(`${base}?watch=1`);
  expect(await metrics()).toContain(series);
  watch.stop();
  const after = await metrics();
  expect(after).not.toContain(series);
  expect(after).toContain(`apiserver_request_total{code="200",${labels("namespace", "WATCH")}} 1`);
});

it("counts nothing under names that a client thinks of", async () => {
  await api.call("GET", `${base}/a/nonsense`);
  await api.call("GET", "/apis/nonsense.example.com/v1/nonsense");
  expect((await metrics()).filter((line) => line.includes("nonsense"))).toEqual([]);
});

it("is for those who may read it", async () => {
  const user = { username: "somebody", groups: ["system:authenticated"] };
  const refused = await api.call("GET", "/metrics", undefined, {}, user);
  expect(refused.body.message).toBe('forbidden: User "somebody" cannot get path "/metrics"');
  const monitoring = { username: "prometheus", groups: ["system:monitoring"] };
  const { status, headers } = await api.call("GET", "/metrics", undefined, {}, monitoring);
  expect([status, headers["content-type"]]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"]);
});
