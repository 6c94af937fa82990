import type { Language } from "../cel/compile.ts";
import { jsonPatchLibrary } from "../cel/library/json-patches.ts";
import { type CelType, dynType, objectType, stringType } from "../cel/type.ts";

/** An object of no known fields: whatever an expression sets (apiserver `cel/mutation/dynamic`). */
const anyObject = (name: string): CelType => ({ kind: "object", name, parameters: [] });

/** What an expression of an `applyConfiguration` evaluates to. */
export const configurationType = anyObject("Object");

/** One operation of a JSON patch. */
export const jsonPatchType = objectType("JSONPatch", [
  ["op", stringType],
  ["path", stringType],
  ["from", stringType],
  ["value", dynType],
]);

const types = {
  get(name: string): CelType | undefined {
    if (name === jsonPatchType.name) return jsonPatchType;
    if (name === configurationType.name) return configurationType;
    return name.startsWith(`${configurationType.name}.`) ? anyObject(name) : undefined;
  },
};

/** What mutations are written in: `Object{…}`, `Object.spec{…}`, `JSONPatch{…}`, `jsonpatch.escapeKey` (KEP-3962). */
export const patchLanguage: Language = { functions: jsonPatchLibrary, types };
