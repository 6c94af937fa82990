import { describe, expect, it } from "vitest";
import { ProtobufObjects } from "../../../shared/api/protobuf-objects.ts";
import type { KubernetesObject } from "../../../shared/kubernetes/object.ts";
import { findKind } from "../../../shared/kubernetes/resources.ts";
import { LazyObject, serialize } from "../../../shared/store/stored-entry.ts";
import { readList, readRecorded } from "../kubernetes/protobuf/recorded.ts";

const { answers, watches } = readRecorded();

function storedOf(object: KubernetesObject): LazyObject {
  const { name = "", namespace = "", resourceVersion } = object.metadata;
  return new LazyObject({ group: "", resource: "", namespace, name }, Number(resourceVersion), serialize(object), object);
}

function encoderOf(apiVersion: string, kind: string): ProtobufObjects {
  const definition = findKind(apiVersion, kind);
  if (!definition) throw new Error(`${kind} is not built in`);
  return new ProtobufObjects(definition, { kind: "object" });
}

describe("lists and watches in protobuf", () => {
  const lists = answers.filter(({ json }) => "items" in json && json.kind !== "APIGroupDiscoveryList");
  it("are recorded", () => expect([lists.length, watches.length]).toEqual([3, 2]));

  it.each(lists.map((each) => [each.path, each] as const))("are written as kube-apiserver writes them: %s", (_, { json, protobuf }) => {
    const { apiVersion, kind, metadata, items } = readList(json);
    const result = {
      items: items.map((item) => storedOf(item as KubernetesObject)),
      revision: Number(metadata.resourceVersion),
      continueToken: metadata.continue,
      remaining: metadata.remainingItemCount,
    };
    const chunks = encoderOf(apiVersion, kind.replace(/List$/, "")).list(result);
    expect(Buffer.concat(chunks).toString("base64")).toBe(protobuf);
  });

  it.each(watches.map((each) => [each.path, each] as const))("come event by event in frames: %s", (_, { json, protobuf }) => {
    const encoder = encoderOf("v1", "Service");
    const frames = json.map(({ type, object }) => {
      return type === "ERROR" ? encoder.error(object) : encoder.event("ADDED", storedOf(object as unknown as KubernetesObject));
    });
    expect(Buffer.concat(frames).toString("base64")).toBe(protobuf);
  });
});
