import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { WebhookTarget } from "../../../shared/api/admission/webhooks/caller.ts";
import { createHarness, type Harness } from "./harness.ts";

interface Review {
  readonly apiVersion: string;
  readonly kind: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was sent
  readonly request: any;
}
type Respond = (review: Review, target: WebhookTarget) => object | Promise<object>;

let api: Harness;
const asked: { target: WebhookTarget; review: Review; timeoutMs: number }[] = [];
let respond: Respond = () => ({ allowed: true });
beforeAll(async () => {
  api = await createHarness({
    webhooks: {
      async call(target, body, timeoutMs) {
        const review = JSON.parse(body.toString()) as Review;
        asked.push({ target, review, timeoutMs });
        const response = await respond(review, target);
        const answer = { apiVersion: review.apiVersion, kind: "AdmissionReview", response: { uid: review.request.uid, ...response } };
        return { status: 200, body: Buffer.from(JSON.stringify(answer)) };
      },
    },
  });
});
afterAll(() => api.close());

const registration = "/apis/admissionregistration.k8s.io/v1";
const base = "/api/v1/namespaces/default";
const mergePatch = { "content-type": "application/merge-patch+json" };
const made: string[] = [];
beforeEach(async () => {
  for (const path of made.splice(0)) await api.call("DELETE", path);
  asked.length = 0;
  respond = () => ({ allowed: true });
});

const configMapRule = { apiGroups: [""], apiVersions: ["v1"], operations: ["*"], resources: ["configmaps"] };
async function register(kind: "mutating" | "validating", ...webhooks: object[]) {
  const path = `${registration}/${kind}webhookconfigurations`;
  const name = `hooks-${made.length}`;
  const defaults = (index: number) => ({
    name: `h${index}.example.com`,
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    clientConfig: { url: `https://hook.example.com/h${index}` },
    rules: [configMapRule],
  });
  const body = { metadata: { name }, webhooks: webhooks.map((each, index) => ({ ...defaults(index), ...each })) };
  const { status, body: answer } = await api.call("POST", path, body);
  expect([status, answer.message]).toEqual([201, undefined]);
  made.push(`${path}/${name}`);
}
let count = 0;
const configMap = (more: object = {}, query = "") =>
  api.call("POST", `${base}/configmaps${query}`, { metadata: { name: `m${count++}`, ...more }, data: { a: "b" } });
const patchOf = (...operations: object[]) => ({
  allowed: true,
  patchType: "JSONPatch",
  patch: Buffer.from(JSON.stringify(operations)).toString("base64"),
});

describe("validating webhooks", () => {
  it("are asked with the whole request", async () => {
    await register("validating", { timeoutSeconds: 3 });
    const { body } = await configMap();
    expect(asked).toHaveLength(1);
    const [{ target, review, timeoutMs } = { target: undefined, review: undefined, timeoutMs: 0 }] = asked;
    expect([target?.url, timeoutMs]).toEqual(["https://hook.example.com/h0?timeout=3s", 3000]);
    expect([review?.apiVersion, review?.kind]).toEqual(["admission.k8s.io/v1", "AdmissionReview"]);
    expect(review?.request).toMatchObject({
      kind: { group: "", version: "v1", kind: "ConfigMap" },
      resource: { group: "", version: "v1", resource: "configmaps" },
      requestKind: { group: "", version: "v1", kind: "ConfigMap" },
      name: body.metadata.name,
      namespace: "default",
      operation: "CREATE",
      userInfo: { username: "admin", groups: ["system:masters", "system:authenticated"] },
      oldObject: null,
      dryRun: false,
      options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1" },
    });
    expect(review?.request.options).not.toHaveProperty("fieldManager");
    expect(review?.request.object).toMatchObject({ kind: "ConfigMap", apiVersion: "v1", data: { a: "b" } });
  });

  it("are shown the options that the client gave, and the grace that a pod gets", async () => {
    await register("validating", {
      rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["*"], resources: ["configmaps", "pods", "pods/eviction"] }],
    });
    const { body } = await configMap({}, "?fieldManager=me&fieldValidation=Strict");
    const at = `${base}/configmaps/${body.metadata.name}`;
    await api.call("PATCH", `${at}?dryRun=All`, { data: { a: "c" } }, mergePatch);
    const preconditions = { uid: body.metadata.uid };
    await api.call("DELETE", at, { propagationPolicy: "Background", preconditions });
    const pod = (name: string) => ({
      metadata: { name },
      spec: { nodeName: "n1", terminationGracePeriodSeconds: 7, containers: [{ name: "c", image: "i" }] },
    });
    for (const name of ["a", "b"]) await api.call("POST", `${base}/pods`, pod(name));
    asked.splice(3, 2);
    await api.call("DELETE", `${base}/pods/a`);
    await api.call("POST", `${base}/pods/b/eviction`, { metadata: { name: "b" }, deleteOptions: { gracePeriodSeconds: 3 } });
    const of = (kind: string) => ({ kind: `${kind}Options`, apiVersion: "meta.k8s.io/v1" });
    expect(asked.map(({ review }) => review?.request.options)).toEqual([
      { ...of("Create"), fieldManager: "me", fieldValidation: "Strict" },
      { ...of("Update"), dryRun: ["All"] },
      { ...of("Delete"), propagationPolicy: "Background", preconditions },
      { ...of("Delete"), gracePeriodSeconds: 7 },
      of("Create"),
    ]);
  });

  it.each<[string, object, number, string, string | undefined]>([
    ["a message", { allowed: false, status: { message: "not today", reason: "Forbidden", code: 403 } }, 403, ": not today", "Forbidden"],
    ["a reason alone", { allowed: false, status: { reason: "Conflict" } }, 400, ": Conflict", "Conflict"],
    ["nothing", { allowed: false }, 400, " without explanation", undefined],
    ["words that look like success", { allowed: false, status: { code: 200, status: "Success" } }, 400, " without explanation", undefined],
  ])("refuse with %s", async (_what, response, code, text, reason) => {
    await register("validating", {});
    respond = () => response;
    const { status, body } = await configMap();
    expect([status, body.code, body.status, body.message, body.reason]).toEqual([
      code,
      code,
      "Failure",
      `admission webhook "h0.example.com" denied the request${text}`,
      reason,
    ]);
  });

  it("pass their warnings on", async () => {
    await register("validating", {});
    respond = () => ({ allowed: true, warnings: ["careful"] });
    expect((await configMap()).headers.warning).toBe('299 - "careful"');
  });

  it("that cannot be asked refuse or let pass, as their failure policy says", async () => {
    respond = () => {
      throw new Error("dial tcp 192.0.2.1:443: connect: connection refused");
    };
    await register("validating", { failurePolicy: "Ignore" });
    expect((await configMap()).status).toBe(201);
    await register("validating", { failurePolicy: "Fail" });
    const { status, body } = await configMap();
    expect([status, body.reason, body.message]).toEqual([
      500,
      "InternalError",
      'Internal error occurred: failed calling webhook "h0.example.com": failed to call webhook: Post "https://hook.example.com/h0?timeout=10s": dial tcp 192.0.2.1:443: connect: connection refused',
    ]);
  });

  it.each<[string, object, string]>([
    ["another uid", { uid: "other", allowed: true }, 'expected response.uid="'],
    ["a patch", { allowed: true, patch: "W10=" }, "validating webhook may not return response.patch"],
  ])("whose answer has %s have not answered", async (_what, response, text) => {
    await register("validating", {});
    respond = () => response;
    expect((await configMap()).body.message).toContain(
      `failed calling webhook "h0.example.com": received invalid webhook response: ${text}`,
    );
  });

  it("see updates and deletions with what was there", async () => {
    const { body } = await configMap();
    await register("validating", { rules: [{ ...configMapRule, operations: ["UPDATE", "DELETE"] }] });
    const path = `${base}/configmaps/${body.metadata.name}`;
    await api.call("PATCH", path, { data: { a: "c" } }, mergePatch);
    expect(asked[0]?.review.request).toMatchObject({ operation: "UPDATE", oldObject: { data: { a: "b" } }, object: { data: { a: "c" } } });
    respond = () => ({ allowed: false, status: { message: "stays" } });
    const { status, body: answer } = await api.call("DELETE", path);
    expect([status, answer.message]).toEqual([400, 'admission webhook "h0.example.com" denied the request: stays']);
    expect(asked[1]?.review.request).toMatchObject({ operation: "DELETE", object: null, oldObject: { data: { a: "c" } } });
    respond = () => ({ allowed: true });
    expect((await api.call("DELETE", path)).status).toBe(200);
  });

  it("are not asked about what their rules, selectors or scope leave out", async () => {
    await register(
      "validating",
      { rules: [{ ...configMapRule, resources: ["secrets"] }] },
      { rules: [{ ...configMapRule, scope: "Cluster" }] },
      { objectSelector: { matchLabels: { watched: "yes" } } },
      { namespaceSelector: { matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["default"] }] } },
    );
    await configMap();
    expect(asked).toHaveLength(0);
    await configMap({ labels: { watched: "yes" } });
    expect(asked.map(({ target }) => target.url)).toEqual(["https://hook.example.com/h2?timeout=10s"]);
  });

  it("are asked about an equivalent version, in which the object is shown, unless they want exactly theirs", async () => {
    const rules = [{ apiGroups: ["autoscaling"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["horizontalpodautoscalers"] }];
    await register("validating", { rules }, { rules, matchPolicy: "Exact" });
    await api.call("POST", "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers", {
      metadata: { name: "a" },
      spec: {
        maxReplicas: 3,
        scaleTargetRef: { kind: "Deployment", name: "d", apiVersion: "apps/v1" },
        metrics: [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 55 } } }],
      },
    });
    expect(asked).toHaveLength(1);
    expect(asked[0]?.review.request).toMatchObject({
      kind: { version: "v1" },
      requestKind: { version: "v2" },
      object: { apiVersion: "autoscaling/v1", spec: { targetCPUUtilizationPercentage: 55 } },
    });
  });

  it("see status apart from the object, and scale as a Scale", async () => {
    const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } };
    await api.call("POST", "/apis/apps/v1/namespaces/default/deployments", {
      metadata: { name: "d" },
      spec: { selector: { matchLabels: { a: "b" } }, template },
    });
    const rules = [{ apiGroups: ["apps"], apiVersions: ["v1"], operations: ["*"], resources: ["deployments/scale"] }];
    await register("validating", { rules });
    await api.call("PATCH", "/apis/apps/v1/namespaces/default/deployments/d", { spec: { paused: true } }, mergePatch);
    expect(asked).toHaveLength(0);
    await api.call("PATCH", "/apis/apps/v1/namespaces/default/deployments/d/scale", { spec: { replicas: 4 } }, mergePatch);
    expect(asked[0]?.review.request).toMatchObject({
      kind: { group: "autoscaling", version: "v1", kind: "Scale" },
      subResource: "scale",
      object: { kind: "Scale", spec: { replicas: 4 } },
      oldObject: { spec: { replicas: 1 } },
    });
  });

  it("are not asked about a dry run that they could not undo", async () => {
    await register("validating", { sideEffects: "NoneOnDryRun" });
    expect((await configMap({}, "?dryRun=All")).status).toBe(201);
    expect(asked[0]?.review.request.dryRun).toBe(true);
  });

  it("never intercept what configures them", async () => {
    const rules = [{ apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*"] }];
    respond = () => ({ allowed: false });
    await register("validating", { rules });
    await register("validating", { rules });
    expect(asked).toHaveLength(0);
  });

  it("in a Service are reached at one of its endpoints, under the Service's name", async () => {
    await api.call("POST", `${base}/services`, { metadata: { name: "hook" }, spec: { ports: [{ port: 8443 }] } });
    await register("validating", { clientConfig: { service: { namespace: "default", name: "hook", port: 8443, path: "/ask" } } });
    expect((await configMap()).body.message).toContain(
      'failed to call webhook: Post "https://hook.default.svc:8443/ask?timeout=10s": endpoints "hook" not found',
    );
    await api.call("POST", `${base}/endpoints`, {
      metadata: { name: "hook" },
      subsets: [{ addresses: [{ ip: "10.1.2.3" }], ports: [{ port: 9443 }] }],
    });
    expect((await configMap()).status).toBe(201);
    expect(asked[0]?.target).toEqual({
      url: "https://hook.default.svc:8443/ask?timeout=10s",
      connectTo: { address: "10.1.2.3", port: 9443 },
    });
  });
});

describe("mutating webhooks", () => {
  it("change the object one after another, and what they leave out gets its defaults", async () => {
    await register("mutating", {}, {});
    respond = ({ request }, { url }) => {
      if (url.includes("h0")) return patchOf({ op: "add", path: "/data/first", value: "1" });
      expect(request.object.data.first).toBe("1");
      return patchOf({ op: "add", path: "/data/second", value: "2" }, { op: "add", path: "/unknown", value: 1 });
    };
    const { body } = await configMap();
    expect(body.data).toEqual({ a: "b", first: "1", second: "2" });
    expect(body.unknown).toBeUndefined();
    await register("mutating", { rules: [{ ...configMapRule, resources: ["services"] }] });
    respond = () => patchOf({ op: "add", path: "/spec/ports/-", value: { name: "more", port: 81 } });
    const service = await api.call("POST", `${base}/services`, {
      metadata: { name: "grown" },
      spec: { ports: [{ name: "web", port: 80 }] },
    });
    expect(service.body.spec.ports[1]).toEqual({ name: "more", port: 81, targetPort: 81, protocol: "TCP" });
  });

  it("are followed by validation", async () => {
    await register("mutating", {});
    respond = () => patchOf({ op: "add", path: "/metadata/labels", value: { "bad label": "x" } });
    expect((await configMap()).status).toBe(422);
  });

  it("cannot change what is the server's", async () => {
    await register("mutating", {});
    respond = () => patchOf({ op: "replace", path: "/metadata/uid", value: "mine" });
    expect((await configMap()).body.metadata.uid).not.toBe("mine");
    respond = () => patchOf({ op: "add", path: "/metadata/namespace", value: "kube-system" });
    const { status, body } = await configMap();
    const message = "the namespace of the provided object does not match the namespace sent on the request";
    expect([status, body.message]).toEqual([400, message]);
  });

  it("that want to are asked again when another changed the object after them", async () => {
    await register("mutating", { reinvocationPolicy: "IfNeeded" }, { reinvocationPolicy: "IfNeeded" });
    respond = ({ request }, { url }) => {
      if (url.includes("h0")) return { allowed: true };
      return request.object.data.late ? { allowed: true } : patchOf({ op: "add", path: "/data/late", value: "1" });
    };
    await configMap();
    expect(asked.map(({ target }) => new URL(target.url).pathname)).toEqual(["/h0", "/h1", "/h0"]);
  });

  it("with a patch that does not fit fail the request", async () => {
    await register("mutating", {});
    respond = () => patchOf({ op: "remove", path: "/data/absent" });
    const { status, body } = await configMap();
    expect([status, body.reason]).toEqual([500, "InternalError"]);
  });

  it("do not see a name that is still to be generated", async () => {
    await register("mutating", {});
    const { body } = await configMap({ name: undefined, generateName: "gen-" });
    expect(asked[0]?.review.request.name).toBeUndefined();
    expect(body.metadata.name).toMatch(/^gen-/);
  });
});

describe("webhooks of custom resources", () => {
  const rules = [{ apiGroups: ["example.com"], apiVersions: ["v1"], operations: ["*"], resources: ["widgets"] }];
  const widgets = "/apis/example.com/v2/namespaces/default/widgets";
  const size = {
    type: "object",
    properties: { spec: { type: "object", properties: { size: { type: "integer" }, color: { type: "string", default: "red" } } } },
  };
  beforeAll(async () => {
    const version = (name: string, storage: boolean) => ({ name, served: true, storage, schema: { openAPIV3Schema: size } });
    const { status } = await api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
      metadata: { name: "widgets.example.com" },
      spec: {
        group: "example.com",
        scope: "Namespaced",
        names: { plural: "widgets", kind: "Widget" },
        versions: [version("v1", false), version("v2", true)],
      },
    });
    expect(status).toBe(201);
  });

  it("see them in the version that their rules name, and what they add is pruned and defaulted", async () => {
    await register("mutating", { rules });
    respond = ({ request }) => {
      expect(request.object.apiVersion).toBe("example.com/v1");
      return patchOf({ op: "replace", path: "/spec", value: { size: 2, unknown: true } });
    };
    const { status, body } = await api.call("POST", widgets, {
      apiVersion: "example.com/v2",
      kind: "Widget",
      metadata: { name: "w" },
      spec: { size: 1 },
    });
    expect([status, body.message, body.apiVersion, body.spec]).toEqual([201, undefined, "example.com/v2", { size: 2, color: "red" }]);
    expect(asked[0]?.review.request).toMatchObject({ kind: { version: "v1", kind: "Widget" }, requestKind: { version: "v2" } });
  });

  it("refuse their deletion", async () => {
    await register("validating", { rules });
    respond = () => ({ allowed: false });
    expect((await api.call("DELETE", `${widgets}/w`)).body.message).toBe(
      'admission webhook "h0.example.com" denied the request without explanation',
    );
    expect(asked[0]?.review.request.oldObject).toMatchObject({ apiVersion: "example.com/v1", spec: { size: 2 } });
  });
});
