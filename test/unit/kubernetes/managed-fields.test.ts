import { describe, expect, it } from "vitest";
import { type AppliedConfiguration, applyConfiguration } from "../../../shared/kubernetes/managed-fields/apply.ts";
import { compareElements, itemElement } from "../../../shared/kubernetes/managed-fields/field-element.ts";
import { describePaths, parseFieldSet } from "../../../shared/kubernetes/managed-fields/field-set.ts";
import { parentManagers, scaleManagers } from "../../../shared/kubernetes/managed-fields/scale-managers.ts";
import { sameButForTimes, type TrackedWrite, trackUpdate } from "../../../shared/kubernetes/managed-fields/track-update.ts";
import { kindSchema } from "../../../shared/kubernetes/schema/kind-schema.ts";
import type { JsonObject } from "../../../shared/kubernetes/schema/schema-node.ts";
import { StatusError } from "../../../shared/kubernetes/status-error.ts";
import type { ManagedFieldsEntry } from "../../../shared/kubernetes/types.ts";

const configMap = kindSchema("", "v1", "ConfigMap")?.fields;
const service = kindSchema("", "v1", "Service")?.fields;
const at = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, "0")}Z`;

function update(write: Partial<TrackedWrite> & { live: JsonObject; next: JsonObject }): ManagedFieldsEntry[] {
  return trackUpdate({ schema: configMap, manager: "m", apiVersion: "v1", subresource: "", timeIso: at(0), managers: undefined, ...write });
}

function apply(request: Partial<AppliedConfiguration> & { live: JsonObject; config: JsonObject }) {
  const defaults = {
    schema: configMap,
    empty: {},
    manager: "m",
    apiVersion: "v1",
    subresource: "",
    timeIso: at(0),
    managers: undefined,
    force: false,
  };
  return applyConfiguration({ ...defaults, ...request });
}

const fieldsOf = (entries: readonly ManagedFieldsEntry[]) =>
  Object.fromEntries(entries.map(({ manager, fieldsV1 }) => [manager, fieldsV1]));

describe("trackUpdate", () => {
  const a = { metadata: { name: "x", uid: "u" }, data: { a: "1" } };
  const ab = { metadata: { name: "x", uid: "u" }, data: { a: "2", b: "1" } };
  const owned = update({ live: {}, next: { metadata: { name: "x" }, data: { a: "1" } }, manager: "one" });

  it("takes from others what the writer changes and keeps the rest theirs", () => {
    const managers = update({ live: a, next: ab, manager: "two", managers: owned, timeIso: at(1) });
    expect(managers).toEqual([
      { manager: "one", operation: "Update", apiVersion: "v1", time: at(0), fieldsType: "FieldsV1", fieldsV1: { "f:data": {} } },
      {
        manager: "two",
        operation: "Update",
        apiVersion: "v1",
        time: at(1),
        fieldsType: "FieldsV1",
        fieldsV1: { "f:data": { "f:a": {}, "f:b": {} } },
      },
    ]);
  });

  it("leaves everything as it is when nothing changed", () => {
    expect(update({ live: a, next: structuredClone(a), manager: "two", managers: owned, timeIso: at(1) })).toEqual(owned);
  });

  it("does not track an object that exists without managers", () => {
    expect(update({ live: a, next: ab })).toEqual([]);
  });

  it("forgets managers when a request resets them, and takes those that a request names", () => {
    const reset = { ...ab, metadata: { ...ab.metadata, managedFields: [] } };
    expect(update({ live: a, next: reset, managers: owned })).toEqual([]);
    const entry = {
      manager: "given",
      operation: "Update",
      apiVersion: "v1",
      fieldsType: "FieldsV1",
      fieldsV1: { "f:data": { "f:z": {} } },
    };
    const named = { ...ab, metadata: { ...ab.metadata, managedFields: [entry] } };
    expect(Object.keys(fieldsOf(update({ live: a, next: named, managers: owned })))).toEqual(["given", "m"]);
    const malformed = { ...ab, metadata: { ...ab.metadata, managedFields: [{ ...entry, fieldsV1: { "x:y": {} } }] } };
    expect(Object.keys(fieldsOf(update({ live: a, next: malformed, managers: owned })))).toEqual(["m", "one"]);
  });

  it("does not record what the resource ignores", () => {
    const pod = kindSchema("", "v1", "Pod")?.fields;
    const live = { metadata: { uid: "u" }, spec: { nodeName: "n" }, status: {} };
    const next = { metadata: { uid: "u" }, spec: { nodeName: "other" }, status: { phase: "Running" } };
    const entries = update({ schema: pod, live, next, managers: owned, subresource: "status", manager: "kubelet", ignored: [["spec"]] });
    expect(fieldsOf(entries).kubelet).toEqual({ "f:status": { "f:phase": {} } });
    expect(entries.find(({ manager }) => manager === "kubelet")?.subresource).toBe("status");
  });

  it("merges the oldest updates beyond ten into ancient-changes", () => {
    let managers: ManagedFieldsEntry[] = owned;
    let live: JsonObject = a;
    for (let i = 0; i < 12; i++) {
      const next = { ...live, data: { ...(live.data as JsonObject), [`k${i}`]: "v" } };
      managers = update({ live, next, manager: `m${i}`, managers, timeIso: at(i + 1) });
      live = next;
    }
    expect(managers).toHaveLength(10);
    expect(managers[0]).toMatchObject({ manager: "ancient-changes", operation: "Update", time: at(3) });
    expect(managers[0]?.fieldsV1).toEqual({ "f:data": { ".": {}, "f:a": {}, "f:k0": {}, "f:k1": {}, "f:k2": {} } });
  });

  it("tells entries that differ in times alone", () => {
    expect(
      sameButForTimes(
        owned,
        owned.map((entry) => ({ ...entry, time: at(9) })),
      ),
    ).toBe(true);
    expect(sameButForTimes(owned, [])).toBe(false);
  });

  it("owns values without a schema field by field, lists among them whole", () => {
    const next = { spec: { list: [{ a: 1 }], map: { x: { y: 1 } } } };
    expect(fieldsOf(update({ schema: undefined, live: {}, next })).m).toEqual({
      "f:spec": { ".": {}, "f:list": {}, "f:map": { ".": {}, "f:x": { ".": {}, "f:y": {} } } },
    });
  });
});

describe("applyConfiguration", () => {
  const live = apply({ live: {}, config: { metadata: { name: "x" }, data: { a: "1", b: "2" } }, manager: "one" });
  const object = { ...live.object, metadata: { name: "x", uid: "u" } };

  it("names every conflict of every manager", () => {
    const updated = update({
      live: object,
      next: { ...object, data: { a: "1", b: "2", c: "3", d: "4" } },
      manager: "ed",
      managers: live.managers,
    });
    const now = { ...object, data: { a: "1", b: "2", c: "3", d: "4" } };
    expect(() => apply({ live: now, config: { data: { a: "9", c: "9", d: "9" } }, manager: "two", managers: updated })).toThrow(
      expect.objectContaining({
        reason: "Conflict",
        message: 'Apply failed with 3 conflicts: conflicts with "ed" using v1:\n- .data.c\n- .data.d\nconflicts with "one":\n- .data.a',
      }),
    );
  });

  it("lets managers share what they agree on, and removes it when the last one lets go", () => {
    const two = apply({ live: object, config: { data: { a: "1" } }, manager: "two", managers: live.managers });
    expect(two.changed).toBe(false);
    expect(fieldsOf(two.managers)).toEqual({ one: { "f:data": { "f:a": {}, "f:b": {} } }, two: { "f:data": { "f:a": {} } } });
    const one = apply({ live: object, config: { data: { b: "2" } }, manager: "one", managers: two.managers });
    expect(one.object.data).toEqual({ a: "1", b: "2" });
    const gone = apply({ live: object, config: {}, manager: "two", managers: one.managers });
    expect(gone.object.data).toEqual({ b: "2" });
    expect(Object.keys(fieldsOf(gone.managers))).toEqual(["one"]);
  });

  it("takes over by force", () => {
    const forced = apply({ live: object, config: { data: { a: "9" } }, manager: "two", managers: live.managers, force: true });
    expect(forced.object.data).toEqual({ a: "9", b: "2" });
    expect(fieldsOf(forced.managers)).toEqual({ one: { "f:data": { "f:b": {} } }, two: { "f:data": { "f:a": {} } } });
  });

  it("gives an object from before tracking to before-first-apply", () => {
    const untracked = { metadata: { name: "x", uid: "u" }, data: { a: "1" } };
    expect(fieldsOf(apply({ live: untracked, config: { data: { b: "2" } } }).managers)).toEqual({
      m: { "f:data": { "f:b": {} } },
      "before-first-apply": { "f:data": { ".": {}, "f:a": {} } },
    });
  });

  it("merges lists by key, defaults counting in the key, and removes elements it no longer applies", () => {
    const schema = service;
    const first = apply({
      schema,
      live: {},
      config: {
        spec: {
          ports: [
            { port: 80, name: "a" },
            { port: 81, protocol: "UDP", name: "b" },
          ],
        },
      },
    });
    const stored = {
      spec: {
        ports: [
          { port: 80, protocol: "TCP", name: "a", nodePort: 1 },
          { port: 81, protocol: "UDP", name: "b" },
        ],
        type: "NodePort",
      },
    };
    const second = apply({
      schema,
      live: stored,
      config: { spec: { ports: [{ port: 82 }, { port: 80, name: "z" }] } },
      managers: first.managers,
    });
    expect(second.object.spec).toEqual({ type: "NodePort", ports: [{ port: 82 }, { port: 80, protocol: "TCP", name: "z", nodePort: 1 }] });
    expect(fieldsOf(second.managers).m).toEqual({
      "f:spec": {
        "f:ports": {
          'k:{"port":80,"protocol":"TCP"}': { ".": {}, "f:name": {}, "f:port": {} },
          'k:{"port":82,"protocol":"TCP"}': { ".": {}, "f:port": {} },
        },
      },
    });
  });

  it("lets kubectl take over what client-side apply set, and keeps its annotation in step", () => {
    const key = "kubectl.kubernetes.io/last-applied-configuration";
    const config = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x" }, data: { a: "1" } };
    const stored = { ...config, metadata: { name: "x", annotations: { [key]: JSON.stringify(config) } } };
    const managers = update({ live: {}, next: stored, manager: "kubectl-client-side-apply" });
    const changed = { ...config, data: { a: "2" } };
    const taken = apply({ live: stored, config: changed, manager: "kubectl", managers });
    expect(taken.object.data).toEqual({ a: "2" });
    const annotation = (taken.object.metadata as { annotations: Record<string, string> }).annotations[key];
    expect(annotation).toBe('{"apiVersion":"v1","data":{"a":"2"},"kind":"ConfigMap","metadata":{"name":"x"}}\n');
    expect(() => apply({ live: stored, config: changed, manager: "other", managers })).toThrow(StatusError);
  });

  it("refuses a configuration with managedFields", () => {
    expect(() => apply({ live: {}, config: { metadata: { managedFields: [] } } })).toThrow(
      new StatusError("BadRequest", "metadata.managedFields must be nil"),
    );
  });
});

describe("managers of a Scale", () => {
  const paths = { "apps/v1": ["spec", "replicas"] };
  const one: ManagedFieldsEntry = {
    manager: "one",
    operation: "Apply",
    apiVersion: "apps/v1",
    time: at(1),
    fieldsType: "FieldsV1",
    fieldsV1: { "f:spec": { "f:replicas": {}, "f:selector": {} } },
  };
  const scaler: ManagedFieldsEntry = {
    manager: "hpa",
    operation: "Update",
    apiVersion: "autoscaling/v1",
    time: at(2),
    fieldsType: "FieldsV1",
    fieldsV1: { "f:spec": { "f:replicas": {} } },
    subresource: "scale",
  };

  it("are those that own the replicas", () => {
    expect(scaleManagers([one], paths)).toEqual([{ ...one, apiVersion: "autoscaling/v1", fieldsV1: { "f:spec": { "f:replicas": {} } } }]);
  });

  it("take the replicas of the parent, without a time when they are new to it, as recorded", () => {
    const { time: _, ...timeless } = scaler;
    expect(parentManagers([one], [scaler], "apps/v1", paths)).toEqual([
      { ...one, fieldsV1: { "f:spec": { "f:selector": {} } } },
      { ...timeless, apiVersion: "apps/v1" },
    ]);
  });

  it("keep the replicas when they still own them", () => {
    const same = scaleManagers([one], paths);
    expect(parentManagers([one], same, "apps/v1", paths)).toEqual([one]);
  });
});

describe("elements of field sets", () => {
  it("are ordered as kube-apiserver prints them", () => {
    const sorted = [".", "f:a", "f:b", 'k:{"port":80}', 'k:{"port":443}', 'k:{"name":"a"}', "v:1", 'v:"a"', "i:2", "i:10"];
    const byKey = sorted.slice(0, 3).concat(['k:{"name":"a"}', 'k:{"port":80}', 'k:{"port":443}'], sorted.slice(6));
    expect([...byKey].reverse().sort(compareElements)).toEqual(byKey);
  });

  it("are told apart by keys and their defaults, values or not at all", () => {
    const ports = service?.property("spec")?.property("ports");
    expect(ports && itemElement(ports, { port: 80 })).toBe('k:{"port":80,"protocol":"TCP"}');
    expect(ports && itemElement(ports, "x")).toBeUndefined();
  });

  it("are described as messages show them", () => {
    const set = { "f:spec": { 'k:{"name":"main","port":80}': { ".": {}, 'v:"x"': {}, "i:0": {} } } };
    expect(describePaths(set)).toEqual(['.spec[name="main",port=80]', '.spec[name="main",port=80][="x"]', '.spec[name="main",port=80][0]']);
  });

  it("are read in one spelling, and refused when malformed", () => {
    expect(parseFieldSet({ "f:a": { 'k:{"b": 1, "a": "x"}': {} } })).toEqual({ "f:a": { 'k:{"a":"x","b":1}': {} } });
    expect(parseFieldSet({ "x:a": {} })).toBeUndefined();
    expect(parseFieldSet({ "f:a": 1 })).toBeUndefined();
    expect(parseFieldSet({ "k:nonsense": {} })).toBeUndefined();
  });
});
