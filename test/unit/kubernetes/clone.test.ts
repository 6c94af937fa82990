import { describe, expect, it } from "vitest";
import { cloneJson, cloneObject } from "../../../shared/kubernetes/clone.ts";

const wide = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, i % 2 === 0 ? String(i) : { inner: [i] }]));

describe("cloneJson", () => {
  it("copies objects of any width in their order, and shares nothing with them", () => {
    for (const value of [{ a: { b: [1, { c: null }] } }, wide, [wide]]) {
      const clone = cloneJson(value);
      expect(JSON.stringify(clone)).toBe(JSON.stringify(value));
      expect(clone).not.toBe(value);
    }
    expect(cloneJson(wide).k1).not.toBe(wide.k1);
  });
});

describe("cloneObject", () => {
  it("shares the managers of fields alone", () => {
    const managedFields = [{ manager: "m", operation: "Update" as const }];
    const object = { kind: "ConfigMap", metadata: { name: "a", labels: { a: "b" }, managedFields, uid: "u" }, data: wide };
    const clone = cloneObject(object);
    expect(JSON.stringify(clone)).toBe(JSON.stringify(object));
    expect(clone.metadata.managedFields).toBe(managedFields);
    expect(clone.metadata.labels).not.toBe(object.metadata.labels);
    expect(clone.data).not.toBe(object.data);
  });
});
