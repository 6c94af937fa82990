import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHarness, type Harness } from "./harness.ts";

let api: Harness;
beforeAll(async () => {
  api = await createHarness();
});
afterAll(() => api.close());

const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const review = {
  kind: "SelfSubjectAccessReview",
  apiVersion: "authorization.k8s.io/v1",
  spec: { nonResourceAttributes: { path: "/", verb: "get" } },
};
const ask = (accept: string) => api.call("POST", path, review, { accept });

describe("an access review", () => {
  it("is no table: its resource knows no columns", async () => {
    const { status, body } = await ask("application/json;as=Table;v=v1;g=meta.k8s.io");
    expect(status).toBe(406);
    expect(body).toMatchObject({
      reason: "NotAcceptable",
      message: "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf",
    });
  });

  it("is answered as YAML and as metadata where the client asks so", async () => {
    const yaml = await ask("application/yaml");
    expect(yaml.headers["content-type"]).toBe("application/yaml");
    expect(yaml.text).toContain("allowed: true");
    const metadata = await ask("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io");
    expect(metadata).toMatchObject({ status: 201, body: { kind: "PartialObjectMetadata" } });
  });

  it("is an object otherwise, with a time of creation that was never set", async () => {
    const { status, body } = await ask("application/json");
    expect(status).toBe(201);
    expect(body).toMatchObject({ ...review, metadata: { creationTimestamp: null }, status: { allowed: true } });
  });
});

describe("an answer that nobody can give", () => {
  it("names the streams, too, where a collection was asked for", async () => {
    const { status, body } = await api.call("GET", "/api/v1/namespaces", undefined, { accept: "text/html" });
    expect(status).toBe(406);
    expect(body.message).toContain("application/vnd.kubernetes.protobuf, application/json;stream=watch");
  });
});
