import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyConfiguration } from "../../shared/kubernetes/managed-fields/apply.ts";
import { compareObjects, fieldsOf } from "../../shared/kubernetes/managed-fields/compare-objects.ts";
import {
  describePaths,
  differenceOfSets,
  emptySet,
  type FieldSet,
  intersectionOfSets,
  parseFieldSet,
  recursiveDifferenceOfSets,
  setHasPath,
  setOfPath,
  unionSets,
} from "../../shared/kubernetes/managed-fields/field-set.ts";
import { removeFields } from "../../shared/kubernetes/managed-fields/merge-objects.ts";
import { trackUpdate } from "../../shared/kubernetes/managed-fields/track-update.ts";
import type { JsonObject } from "../../shared/kubernetes/schema/schema-node.ts";
import { StatusError } from "../../shared/kubernetes/status-error.ts";
import type { ManagedFieldsEntry } from "../../shared/kubernetes/types.ts";

const element = fc.constantFrom("f:a", "f:b", 'k:{"name":"x"}', 'k:{"port":80}', 'k:{"port":443}', 'v:"x"', "v:1", "i:0");
const path = fc.array(element, { minLength: 1, maxLength: 3 });
const set: fc.Arbitrary<FieldSet> = fc
  .array(path, { maxLength: 6 })
  .map((paths) => paths.reduce<FieldSet>((all, one) => unionSets(all, setOfPath(one)), emptySet));
const members = (of: FieldSet): Set<string> => new Set(describePaths(of));

describe("field sets", () => {
  it("obey the laws of sets", () => {
    fc.assert(
      fc.property(set, set, (a, b) => {
        expect(members(unionSets(a, b))).toEqual(members(a).union(members(b)));
        expect(members(intersectionOfSets(a, b))).toEqual(members(a).intersection(members(b)));
        expect(members(differenceOfSets(a, b))).toEqual(members(a).difference(members(b)));
        expect(members(recursiveDifferenceOfSets(a, b)).isSubsetOf(members(differenceOfSets(a, b)))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("have one form each, whatever order they were made in, and survive JSON", () => {
    fc.assert(
      fc.property(fc.array(path, { maxLength: 6 }), (paths) => {
        const make = (list: string[][]) => list.reduce<FieldSet>((all, one) => unionSets(all, setOfPath(one)), emptySet);
        const made = make(paths);
        expect(JSON.stringify(make(paths.toReversed()))).toBe(JSON.stringify(made));
        expect(JSON.stringify(parseFieldSet(JSON.parse(JSON.stringify(made))))).toBe(JSON.stringify(made));
        for (const one of paths) expect(setHasPath(made, one)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

const name = fc.constantFrom("a", "b", "c");
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom<unknown>(1, 2, "x"),
    fc.array(fc.constantFrom(1, 2), { maxLength: 2 }),
    fc.dictionary(name, tie("value"), { minKeys: 1, maxKeys: 3, noNullPrototype: true }),
  ),
}));
const object = fc.dictionary(name, value, { maxKeys: 3, noNullPrototype: true });

describe("comparing objects", () => {
  it("finds nothing in equal ones, and what is new in one is what is gone in the other", () => {
    fc.assert(
      fc.property(object, object, (a, b) => {
        expect(compareObjects(undefined, a, structuredClone(a))).toEqual({ changed: {}, removed: {} });
        const there = compareObjects(undefined, a, b);
        const back = compareObjects(undefined, b, a);
        expect(members(there.removed).isSubsetOf(members(back.changed))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("removing all fields of an object leaves nothing of it", () => {
    fc.assert(
      fc.property(object, (a) => {
        expect(removeFields(undefined, a, fieldsOf(undefined, a))).toEqual({});
      }),
    );
  });
});

describe("managers", () => {
  const shared = { schema: undefined, apiVersion: "v1", subresource: "", timeIso: "2026-01-01T00:00:00Z" };

  it("together own no field that the object does not have", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom("m", "n"), object), { minLength: 1, maxLength: 4 }), (writes) => {
        let live: JsonObject = {};
        let managers: ManagedFieldsEntry[] = [];
        for (const [manager, next] of writes) {
          managers = trackUpdate({ ...shared, live, next, manager, managers });
          live = next;
        }
        const owned = managers.reduce<FieldSet>((all, { fieldsV1 }) => unionSets(all, (fieldsV1 ?? {}) as FieldSet), emptySet);
        expect(members(owned).isSubsetOf(members(fieldsOf(undefined, live)))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("that apply the same twice change nothing, and one that lets go of all leaves what others own", () => {
    fc.assert(
      fc.property(object, object, (mine, theirs) => {
        const apply = (live: JsonObject, config: JsonObject, manager: string, managers: ManagedFieldsEntry[]) =>
          applyConfiguration({ ...shared, empty: {}, live, config, manager, managers, force: true });
        const first = apply({}, theirs, "they", []);
        const second = apply(first.object, mine, "me", first.managers);
        const again = apply(second.object, mine, "me", second.managers);
        expect(again.changed).toBe(false);
        expect(again.managers).toEqual(second.managers);
        const left = apply(second.object, {}, "me", second.managers);
        const theirsNow = left.managers.find(({ manager }) => manager === "they")?.fieldsV1 ?? {};
        expect(members(theirsNow as FieldSet).isSubsetOf(members(fieldsOf(undefined, left.object)))).toBe(true);
        expect(left.managers.some(({ manager }) => manager === "me")).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  /** Below one parent and beside it, with no field in common. */
  const configOf = (mark: string, [inner, outer]: readonly [JsonObject, JsonObject]): JsonObject => ({
    data: { [`${mark}-inner`]: inner },
    [`${mark}-outer`]: outer,
  });
  const applyAll = (configs: readonly (readonly [manager: string, config: JsonObject])[]) => {
    let state = { object: {} as JsonObject, managers: [] as ManagedFieldsEntry[] };
    for (const [manager, config] of configs)
      state = applyConfiguration({ ...shared, empty: {}, live: state.object, config, manager, managers: state.managers, force: false });
    const owned = new Map(state.managers.map(({ manager, fieldsV1 }) => [manager, [...members((fieldsV1 ?? {}) as FieldSet)].sort()]));
    return { object: state.object, owned };
  };

  it("whose fields are disjoint apply in any order with the same outcome", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(object, object), { minLength: 2, maxLength: 4 }), fc.nat(), (parts, turn) => {
        const configs = parts.map((part, index) => [`m${index}`, configOf(`m${index}`, part)] as const);
        const turned = configs
          .map((_, index) => configs[(index + turn) % configs.length] ?? configs[0] ?? (["", {}] as const))
          .toReversed();
        expect(applyAll(turned)).toEqual(applyAll(configs));
      }),
      { numRuns: 300 },
    );
  });

  it("lose nothing that they own to others that apply without force, whether these are taken or refused", () => {
    fc.assert(
      fc.property(object, fc.array(object, { maxLength: 4 }), (mine, others) => {
        let { object: live, managers } = applyConfiguration({
          ...{ ...shared, empty: {}, live: {}, config: mine, manager: "me", managers: [], force: false },
        });
        for (const [index, config] of others.entries()) {
          try {
            ({ object: live, managers } = applyConfiguration({
              ...{ ...shared, empty: {}, live, config, manager: `other-${index}`, managers, force: false },
            }));
          } catch (error) {
            if (!(error instanceof StatusError && error.reason === "Conflict")) throw error;
          }
        }
        expect(live).toMatchObject(mine);
        expect(managers.find(({ manager }) => manager === "me")?.fieldsV1 ?? {}).toEqual(fieldsOf(undefined, mine));
      }),
      { numRuns: 300 },
    );
  });
});
