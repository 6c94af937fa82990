import { describe, expect, it } from "vitest";
import { selectOwnPods } from "../../../../shared/api/strategies/workloads.ts";
import { cloneJson } from "../../../../shared/kubernetes/clone.ts";
import { findKind } from "../../../../shared/kubernetes/resources.ts";
import { invalidStatus } from "../../../../shared/kubernetes/schema/invalid.ts";
import { type KindSchema, kindSchema } from "../../../../shared/kubernetes/schema/kind-schema.ts";
import type { JsonObject } from "../../../../shared/kubernetes/schema/schema-node.ts";
import { normalizeNewClusterIps } from "../../../../shared/kubernetes/schema/validation/service-families.ts";
import { recordedWrites } from "./recorded-cases.ts";

const writes = recordedWrites();

function schemaOf(object: JsonObject): KindSchema | undefined {
  const [group, version] = groupVersionOf(object);
  return kindSchema(group, version, String(object.kind));
}

function groupVersionOf({ apiVersion }: JsonObject): [string, string] {
  const [first = "", second] = String(apiVersion).split("/");
  return second === undefined ? ["", first] : [first, second];
}

/** As the API would hand it to the schema: decoded, with the metadata that the server fills in. */
function decoded(sent: JsonObject, schema: KindSchema): JsonObject {
  const object = cloneJson(sent);
  const metadata = (object.metadata ?? {}) as JsonObject;
  object.metadata = metadata;
  const resource = findKind(String(object.apiVersion), String(object.kind));
  if (resource?.namespaced === true) metadata.namespace ??= "parity";
  schema.prune(object);
  schema.applyDefaults(object);
  return object;
}

/** What admission and the strategies add to a new object, which is not the schema's work, and the server's own metadata. */
function withoutAdmission(object: JsonObject): JsonObject {
  const { status, ...rest } = cloneJson(object);
  const metadata = { ...(rest.metadata as JsonObject) };
  for (const field of ["managedFields", "uid", "resourceVersion", "creationTimestamp", "generation", "namespace"]) delete metadata[field];
  const spec = { ...(rest.spec as JsonObject) };
  const added = {
    Pod: ["serviceAccount", "serviceAccountName", "priority", "preemptionPolicy", "tolerations", "volumes", "containers", "initContainers"],
    Service: ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"],
  };
  for (const field of added[rest.kind as keyof typeof added] ?? []) delete spec[field];
  return { ...rest, metadata, ...(rest.spec !== undefined && { spec }) };
}

/** A copy with what the registry gives to new Services and Jobs before it looks at them. */
function prepared(object: JsonObject): JsonObject {
  const copy = cloneJson(object);
  if (copy.kind === "Service") normalizeNewClusterIps(copy as never);
  if (copy.kind === "Job") {
    Object.assign(copy.metadata as JsonObject, { uid: "u" });
    selectOwnPods(copy as never);
  }
  return copy;
}

describe("creates of built-in kinds", () => {
  const accepted = writes.filter((write) => write.live === undefined && write.status === 201 && write.answer.kind === write.object.kind);
  it("has recordings to compare with", () => expect(accepted.length).toBeGreaterThan(20));

  it.each(accepted)("accepts and completes $name", ({ object, answer }) => {
    const schema = schemaOf(object);
    if (schema === undefined) throw new Error(`no schema of ${object.kind}`);
    expect(schema.checkTypes(object)).toBeUndefined();
    const completed = decoded(object, schema);
    if (!String(object.kind).endsWith("Review")) expect(withoutAdmission(completed)).toEqual(withoutAdmission(answer));
    expect(schema.validateCreate(prepared(completed))).toEqual([]);
    const again = cloneJson(completed);
    schema.prune(again);
    schema.applyDefaults(again);
    expect(again).toEqual(completed);
  });

  const refused = writes.filter((write) => write.live === undefined && write.status === 422);
  it("has refusals to compare with", () => expect(refused.length).toBeGreaterThan(15));

  it.each(refused)("refuses in kube-apiserver's words $name", ({ object, answer, causes }) => {
    const schema = schemaOf(object);
    if (schema === undefined) throw new Error(`no schema of ${object.kind}`);
    const found = schema.validateCreate(prepared(decoded(object, schema)));
    expect(found).toEqual(causes);
    const [group] = groupVersionOf(object);
    const status = invalidStatus(String(object.kind), group, String((object.metadata as JsonObject | undefined)?.name ?? ""), found);
    expect({ message: status.message, details: status.details }).toEqual({ message: answer.message, details: answer.details });
  });

  const malformed = writes.filter(
    (write) => write.status === 400 && /cannot be handled as a \w+: (?:json|quantities)/.test(String(write.answer.message)),
  );
  it.each(malformed)("names the type mismatch of $name", ({ object, answer }) => {
    expect(String(answer.message)).toContain(schemaOf(object)?.checkTypes(object));
  });

  const strict = writes.filter((write) => /strict decoding error: /.test(String(write.answer.message)));
  it("has unknown fields to compare with", () => expect(strict.length + malformed.length).toBeGreaterThan(2));
  it.each(strict)("names the unknown fields of $name", ({ object, answer }) => {
    expect(String(answer.message)).toMatch(new RegExp(`strict decoding error: ${schemaOf(object)?.unknownFields(object).join(", ")}$`));
  });
});

describe("updates of built-in kinds", () => {
  const updates = writes.flatMap((write) => (write.live === undefined ? [] : [{ ...write, live: write.live }]));
  const comparable = updates.filter(({ status }) => status === 200 || status === 422);
  it("has recordings to compare with", () => expect(comparable.length).toBeGreaterThan(8));

  it.each(comparable)("judges as kube-apiserver does $name", ({ object, live, causes, status }) => {
    const schema = schemaOf(object);
    if (schema === undefined) throw new Error(`no schema of ${object.kind}`);
    const next = decoded({ ...object, metadata: { ...(live.metadata as JsonObject), ...(object.metadata as JsonObject) } }, schema);
    if (next.kind === "Service") {
      const spec = next.spec as JsonObject;
      spec.clusterIPs = [spec.clusterIP];
      (live.spec as JsonObject).clusterIPs = ["10.0.0.1"];
    }
    if (next.kind === "Pod") keepAdmitted(next.spec as JsonObject, live.spec as JsonObject);
    const found = schema.validateUpdate(next, decoded(live, schema));
    if (status === 200) expect(found).toEqual([]);
    else expect(found).toEqual(causes);
  });
});

/** A put carries no admitted fields: admission adds them to the new state again. */
function keepAdmitted(next: JsonObject, live: JsonObject): void {
  for (const field of ["serviceAccount", "serviceAccountName", "priority", "preemptionPolicy", "tolerations", "volumes"])
    next[field] ??= live[field];
}
