import { describe, expect, it } from "vitest";
import { builtinResources, findResource, type ResourceDefinition } from "../../../shared/kubernetes/resources.ts";
import { fieldValue, selectableChanged, selectableField, selectableFields } from "../../../shared/kubernetes/selectable-fields.ts";
import { isStatus } from "../../../shared/kubernetes/status-error.ts";

function resource(group: string, name: string): ResourceDefinition {
  const found = findResource(group, "v1", name);
  if (!found) throw new Error(`no ${group} ${name}`);
  return found;
}

const pods = resource("", "pods");
const configMaps = resource("", "configmaps");
const groupEvents = resource("events.k8s.io", "events");

function refusal(definition: ResourceDefinition, field: string): unknown {
  try {
    return selectableField(definition, field);
  } catch (error) {
    return isStatus(error, "BadRequest") ? error.message : error;
  }
}

describe("selectable fields", () => {
  it("can be read for every resource that is listed", () => {
    const listed = builtinResources().filter(({ verbs }) => verbs.has("list"));
    const empty = { metadata: { name: "a" }, spec: {} };
    const values = listed.flatMap((definition) => selectableFields(definition).map((field) => fieldValue(definition, empty, field)));
    expect(values.length).toBeGreaterThan(130);
    expect(values.every((value) => typeof value === "string")).toBe(true);
  });

  it("reads a pod's fields with their defaults", () => {
    const pod = {
      metadata: { name: "p", namespace: "n" },
      spec: { nodeName: "x", containers: [] },
      status: { podIPs: [{ ip: "10.0.0.1" }] },
    };
    const read = (field: string) => fieldValue(pods, pod, field);
    expect(["metadata.name", "spec.nodeName", "spec.host", "status.podIP", "status.phase", "spec.hostNetwork"].map(read)).toEqual([
      "p",
      "x",
      "x",
      "10.0.0.1",
      "",
      "false",
    ]);
  });

  it("reads an event by the names of either group", () => {
    const event = {
      metadata: { name: "e" },
      involvedObject: { kind: "Pod", name: "p" },
      reportingComponent: "kubelet",
    };
    expect(fieldValue(groupEvents, event, "regarding.kind")).toBe("Pod");
    expect(fieldValue(groupEvents, event, selectableField(groupEvents, "regarding.kind"))).toBe("Pod");
    expect(fieldValue(groupEvents, event, "reportingController")).toBe("kubelet");
    expect(fieldValue(resource("", "events"), event, "source")).toBe("kubelet");
  });

  it("refuses other fields in kube-apiserver's words", () => {
    expect(refusal(configMaps, "data.a")).toBe('"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"');
    expect(refusal(pods, "spec.colour")).toBe("field label not supported: spec.colour");
    expect(refusal(groupEvents, "involvedObject.kind")).toBe("field label not supported: involvedObject.kind");
    expect(refusal(resource("", "nodes"), "metadata.namespace")).toBe("field label not supported: metadata.namespace");
  });

  it("reads what a custom resource declares selectable", () => {
    const boats: ResourceDefinition = {
      ...configMaps,
      group: "example.com",
      collection: "example.com/boats",
      resource: "boats",
      selectableFields: ["spec.colour"],
    };
    const boat = { metadata: { name: "b" }, spec: { colour: "red" } };
    expect(fieldValue(boats, boat, "spec.colour")).toBe("red");
    expect(refusal(boats, "spec.oars")).toBe("field label not supported: spec.oars");
    expect(selectableChanged(boats, boat, { ...boat, spec: { colour: "blue" } } as typeof boat)).toBe(true);
  });
});

describe("a change of what can be selected", () => {
  const pod = (labels: Record<string, string>, phase: string, message = "") => ({
    metadata: { name: "p", labels },
    status: { phase, message },
  });
  it("is seen in labels and in selectable fields, and nowhere else", () => {
    const before = pod({ a: "1" }, "Pending");
    expect(selectableChanged(pods, before, pod({ a: "1" }, "Pending", "other"))).toBe(false);
    expect(selectableChanged(pods, before, pod({ a: "2" }, "Pending"))).toBe(true);
    expect(selectableChanged(pods, before, pod({}, "Pending"))).toBe(true);
    expect(selectableChanged(pods, before, pod({ b: "1" }, "Pending"))).toBe(true);
    expect(selectableChanged(pods, before, pod({ a: "1" }, "Running"))).toBe(true);
    expect(selectableChanged(configMaps, { metadata: {} }, { metadata: { labels: {} } })).toBe(false);
  });
});
