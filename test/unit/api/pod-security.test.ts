import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHarness, type Harness } from "./harness.ts";

let api: Harness;
beforeAll(async () => {
  api = await createHarness();
});
afterAll(() => api.close());

async function namespace(name: string, labels: Record<string, string>) {
  const prefixed = Object.fromEntries(Object.entries(labels).map(([label, value]) => [`pod-security.kubernetes.io/${label}`, value]));
  const made = await api.call("POST", "/api/v1/namespaces", { metadata: { name, labels: prefixed } });
  await api.call("POST", `/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: "default" } });
  return made;
}
const spec = { containers: [{ name: "a", image: "i", securityContext: { privileged: true } }] };
const violation = 'privileged (container "a" must not set securityContext.privileged=true)';

describe("pod security", () => {
  it("refuses pods that violate what is enforced, in Kubernetes' words", async () => {
    await namespace("enforcing", { enforce: "baseline" });
    const { status, body } = await api.call("POST", "/api/v1/namespaces/enforcing/pods", { metadata: { name: "p" }, spec });
    expect([status, body.message]).toEqual([403, `pods "p" is forbidden: violates PodSecurity "baseline:latest": ${violation}`]);
  });

  it("warns of workloads whose pods would be refused", async () => {
    const template = { metadata: { labels: { a: "b" } }, spec };
    const deployment = { metadata: { name: "d" }, spec: { selector: { matchLabels: { a: "b" } }, template } };
    const { status, headers } = await api.call("POST", "/apis/apps/v1/namespaces/enforcing/deployments", deployment);
    expect([status, headers.warning]).toEqual([
      201,
      `299 - "would violate PodSecurity \\"baseline:latest\\": ${violation.replaceAll('"', '\\"')}"`,
    ]);
  });

  it("only warns where that is all that is asked for", async () => {
    await namespace("warning", { warn: "baseline" });
    const { status, headers } = await api.call("POST", "/api/v1/namespaces/warning/pods", { metadata: { name: "p" }, spec });
    expect(status).toBe(201);
    expect(headers.warning).toContain("would violate PodSecurity");
  });

  it("says which running pods a stricter level would not allow", async () => {
    const path = "/api/v1/namespaces/warning/pods";
    for (const name of ["q", "r"]) await api.call("POST", path, { metadata: { name }, spec });
    const labels = { "pod-security.kubernetes.io/enforce": "baseline" };
    const patched = await api.call(
      "PATCH",
      "/api/v1/namespaces/warning",
      { metadata: { labels } },
      { "content-type": "application/merge-patch+json" },
    );
    expect(patched.status).toBe(200);
    expect(patched.headers.warning).toBe(
      '299 - "existing pods in namespace \\"warning\\" violate the new PodSecurity enforce level \\"baseline:latest\\"", ' +
        '299 - "p (and 2 other pods): privileged"',
    );
  });

  it("refuses labels that it cannot read", async () => {
    const { status, body } = await namespace("unreadable", { enforce: "strict" });
    expect([status, body.message]).toEqual([
      422,
      'Namespace "unreadable" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted',
    ]);
  });

  it("looks at pods again only when their images change", async () => {
    const path = "/api/v1/namespaces/warning/pods/p";
    const merge = { "content-type": "application/merge-patch+json" };
    expect((await api.call("PATCH", path, { metadata: { labels: { x: "y" } } }, merge)).status).toBe(200);
    const strategic = { "content-type": "application/strategic-merge-patch+json" };
    const other = { spec: { containers: [{ name: "a", image: "other" }] } };
    expect((await api.call("PATCH", path, other, strategic)).status).toBe(403);
  });
});
