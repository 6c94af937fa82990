import { unknownPatchFields } from "../kubernetes/json-patch.ts";
import type { KubernetesObject } from "../kubernetes/object.ts";
import { goQuote, goText } from "../kubernetes/schema/go-text.ts";
import { invalidStatus } from "../kubernetes/schema/invalid.ts";
import { isJsonObject } from "../kubernetes/schema/schema-node.ts";
import type { StatusError } from "../kubernetes/status-error.ts";
import { decodeObject, type Expected } from "./decode.ts";
import type { Patch } from "./object-client.ts";
import type { FieldValidation } from "./parse-body.ts";

/**
 * The result of a patch as an object. What is wrong with it is said of the patch: with the whole result for JSON and merge patches, with the
 * patch itself for strategic ones. @throws StatusError `Invalid`
 */
export function decodePatched(
  value: unknown,
  patch: Patch,
  expected: Expected,
  validation: FieldValidation,
  warn: (text: string) => void,
): KubernetesObject {
  const refuse = (why: string): StatusError => {
    const shown = patch.type === "strategic" ? goText(patch.body) : JSON.stringify(sorted(value));
    return invalidStatus("", "", "", [
      { reason: "FieldValueInvalid", field: "patch", message: `Invalid value: ${goQuote(shown)}: ${why}` },
    ]);
  };
  const ofPatch = patch.type === "json" ? unknownPatchFields(patch.body) : [];
  const strict = (unknown: readonly string[]): string[] => [...ofPatch, ...inOrder(unknown)];
  return decodeObject(value, { ...expected, refuse, restored: patch.type === "strategic" }, validation, warn, strict);
}

/** A patched object is read as Go has written it: its fields in the order of their names. */
const inOrder = (unknown: readonly string[]): string[] => [...unknown].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));

/** In the order in which a Go map is written; metadata in that of its Go struct, what else is below the first level in its own. */
const sorted = (value: unknown): unknown =>
  isJsonObject(value)
    ? Object.fromEntries(
        Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, field]) => [name, name === "metadata" && isJsonObject(field) ? metadataInOrder(field) : field]),
      )
    : value;

const metadataOrder = ["name", "generateName", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp"];

function metadataInOrder(metadata: Record<string, unknown>): Record<string, unknown> {
  const first = metadataOrder.filter((name) => metadata[name] !== undefined).map((name) => [name, metadata[name]]);
  return { ...Object.fromEntries(first), ...metadata };
}
