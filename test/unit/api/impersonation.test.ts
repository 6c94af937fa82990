import { afterAll, beforeAll, expect, it } from "vitest";
import { createHarness, type Harness } from "./harness.ts";

let api: Harness;
beforeAll(async () => {
  api = await createHarness();
});
afterAll(() => api.close());

const as = (username: string) => ({ "impersonate-user": username });

it("answers a request made as somebody else by what that user may do", async () => {
  const refused = await api.call("GET", "/api/v1/namespaces/default/secrets", undefined, as("jane"));
  expect(refused.status).toBe(403);
  expect(refused.body.message).toContain('User "jane" cannot list resource "secrets"');
  const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
  const own = await api.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review, as("jane"));
  expect(own.body.status.userInfo).toEqual({ username: "jane", groups: ["system:authenticated"] });
});

it("lets nobody act as another without the right to", async () => {
  const jane = { username: "jane", groups: ["system:authenticated"] };
  const refused = await api.call("GET", "/api/v1/namespaces/default/secrets", undefined, as("system:admin"), jane);
  expect(refused.status).toBe(403);
  expect(refused.body.message).toBe(
    'users "system:admin" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster scope',
  );
});
