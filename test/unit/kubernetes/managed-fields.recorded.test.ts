import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { cloneJson } from "../../../shared/kubernetes/clone.ts";
import { applyJsonPatch } from "../../../shared/kubernetes/json-patch.ts";
import { applyConfiguration } from "../../../shared/kubernetes/managed-fields/apply.ts";
import { trackUpdate } from "../../../shared/kubernetes/managed-fields/track-update.ts";
import { applyMergePatch } from "../../../shared/kubernetes/merge-patch.ts";
import { type KindSchema, kindSchema } from "../../../shared/kubernetes/schema/kind-schema.ts";
import { isJsonObject, type JsonObject } from "../../../shared/kubernetes/schema/schema-node.ts";
import { isStatus } from "../../../shared/kubernetes/status-error.ts";
import { applyStrategicMergePatch } from "../../../shared/kubernetes/strategic-merge-patch.ts";
import type { ManagedFieldsEntry } from "../../../shared/kubernetes/types.ts";

interface Step {
  m: string;
  p: string;
  b?: unknown;
  h?: Record<string, string>;
  ignoreBody?: boolean;
  expect: { status: number; body?: unknown };
}

interface Scenario {
  name: string;
  steps: Step[];
}

const recorded: Scenario[] = JSON.parse(readFileSync(new URL("../../parity/recordings/recorded-1.33.json", import.meta.url), "utf8"));
const time = "2026-01-01T00:00:00Z";
const kinds: Record<string, [string, string, string]> = {
  configmaps: ["", "v1", "ConfigMap"],
  pods: ["", "v1", "Pod"],
  services: ["", "v1", "Service"],
  secrets: ["", "v1", "Secret"],
  deployments: ["apps", "v1", "Deployment"],
  replicationcontrollers: ["", "v1", "ReplicationController"],
  jobs: ["batch", "v1", "Job"],
  cronjobs: ["batch", "v1", "CronJob"],
};

/** A server of nothing but the steps that decide managedFields. */
function createServer() {
  const objects = new Map<string, JsonObject>();
  const decode = (schema: KindSchema, body: JsonObject): JsonObject => {
    const object = cloneJson(body);
    schema.prune(object);
    schema.applyDefaults(object);
    return object;
  };
  const metadataOf = (object: JsonObject): JsonObject => (isJsonObject(object.metadata) ? object.metadata : {});
  const managersOf = (object: JsonObject) => metadataOf(object).managedFields as ManagedFieldsEntry[] | undefined;

  function write(step: Step): ManagedFieldsEntry[] | undefined | string {
    const url = new URL(step.p, "http://localhost");
    const [, resource = "", name] = /\/namespaces\/[^/]+\/([a-z]+)(?:\/([^/]+))?$/.exec(decodeURI(url.pathname)) ?? [];
    const kind = kinds[resource];
    const schema = kind && kindSchema(...kind);
    if (schema === undefined || kind === undefined || !(isJsonObject(step.b) || Array.isArray(step.b))) return undefined;
    const [group, version] = kind;
    const apiVersion = group === "" ? version : `${group}/${version}`;
    const empty: JsonObject = {};
    schema.prune(empty);
    const objectName = name ?? String(metadataOf(step.b as JsonObject).name);
    const key = `${resource}/${objectName}`;
    const live = objects.get(key);
    const manager = url.searchParams.get("fieldManager") ?? "parity";
    const shared = {
      schema: schema.fields,
      apiVersion,
      subresource: "",
      timeIso: time,
      ignored: resource === "configmaps" ? [] : [["status"]],
    };
    const store = (object: JsonObject, managers: ManagedFieldsEntry[]): ManagedFieldsEntry[] => {
      const metadata = { ...metadataOf(object), name: objectName, uid: "u", managedFields: managers };
      objects.set(key, { ...object, metadata });
      return managers;
    };
    if (step.h?.["content-type"] === "application/apply-patch+yaml") {
      try {
        const force = url.searchParams.get("force") === "true";
        const applied = applyConfiguration({
          ...shared,
          live: live ?? empty,
          empty,
          config: step.b as JsonObject,
          manager,
          force,
          managers: live && managersOf(live),
        });
        return store(decode(schema, applied.object), applied.managers);
      } catch (error) {
        if (isStatus(error)) return error.message;
        throw error;
      }
    }
    const patches: Record<string, () => unknown> = {
      "application/json-patch+json": () => applyJsonPatch(live, step.b),
      "application/merge-patch+json": () => applyMergePatch(live, step.b),
      "application/strategic-merge-patch+json": () => applyStrategicMergePatch(live, step.b, schema.patch),
    };
    const body = step.m === "PATCH" ? patches[step.h?.["content-type"] ?? ""]?.() : step.b;
    const next = decode(schema, { ...(body as JsonObject) });
    if (live !== undefined) next.metadata = { ...metadataOf(next), uid: "u" };
    return store(next, trackUpdate({ ...shared, live: live ?? empty, next, manager, managers: live && managersOf(live) }));
  }
  return { write };
}

/** Scenarios about clusters' other sides, and steps whose subresource this test does not serve. */
const leftOut = new Set(["namespaces", "custom resources", "service account tokens", "dry run"]);

describe("managedFields as a kube-apiserver 1.33 recorded them", () => {
  let compared = 0;
  for (const { name, steps } of recorded.filter((scenario) => !leftOut.has(scenario.name))) {
    const writes = steps.filter(({ m }) => m === "POST" || m === "PUT" || m === "PATCH");
    if (!writes.some(({ p }) => Object.keys(kinds).some((resource) => p.includes(`/${resource}`)))) continue;
    it(name, () => {
      const server = createServer();
      for (const [i, step] of writes.entries()) {
        if (step.expect.status >= 300 && step.expect.status !== 409) continue;
        const got = server.write(step);
        const body = step.expect.body;
        if (got === undefined || !isJsonObject(body)) continue;
        if (typeof got === "string") expect(got).toBe(body.message);
        else if (step.expect.status < 300 && !step.ignoreBody) {
          const managers = (body.metadata as { managedFields?: ManagedFieldsEntry[] }).managedFields ?? [];
          expect(
            got.map((entry) => ({ ...entry, time: "<time>" })),
            `step ${i + 1}: ${step.m} ${step.p}`,
          ).toEqual(managers);
        }
        compared++;
      }
    });
  }

  it("compared at least forty writes", () => {
    expect(compared).toBeGreaterThan(40);
  });
});
