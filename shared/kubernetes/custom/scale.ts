import { cloneJson } from "../clone.ts";
import type { KubernetesObject } from "../object.ts";
import { invalid } from "../schema/field-error.ts";
import { goText, goTypeOf } from "../schema/go-text.ts";
import { isJsonObject, type JsonObject } from "../schema/schema-node.ts";
import { type StatusCause, StatusError } from "../status-error.ts";
import type { CustomResourceSubresourceScale, Scale } from "../types.ts";

const maximumInt32 = 2 ** 31 - 1;
const stepsOf = (path: string): string[] => path.replace(/^\./, "").split(".");

function valueAt(object: unknown, path: string): unknown {
  return stepsOf(path).reduce<unknown>(
    (value, step) => (isJsonObject(value) && Object.hasOwn(value, step) ? value[step] : undefined),
    object,
  );
}

/** The numbers that the scale subresource leads to must be ones (apiextensions `registry/customresource/validator.go`). */
export function scaleProblems(scale: CustomResourceSubresourceScale | undefined, object: JsonObject, statusOnly = false): StatusCause[] {
  if (scale === undefined) return [];
  const count = (path: string): StatusCause[] => {
    const blocker = blockerOf(object, path);
    if (blocker !== undefined) return [invalid(path, 0, accessorError(path, blocker, "map[string]interface{}"))];
    const value = valueAt(object, path);
    if (value === undefined) return [];
    if (typeof value !== "number" || !Number.isInteger(value)) return [invalid(path, 0, accessorError(path, value, "int64"))];
    if (value < 0) return [invalid(path, value, "should be a non-negative integer")];
    return value > maximumInt32 ? [invalid(path, value, `should be less than or equal to ${maximumInt32}`)] : [];
  };
  return [...(statusOnly ? [] : count(scale.specReplicasPath)), ...count(scale.statusReplicasPath)];
}

/** What stands on the path where an object should. */
function blockerOf(object: unknown, path: string): unknown {
  let value = object;
  for (const step of stepsOf(path).slice(0, -1)) {
    value = isJsonObject(value) && Object.hasOwn(value, step) ? value[step] : undefined;
    if (value === undefined) return undefined;
    if (!isJsonObject(value)) return value;
  }
  return undefined;
}

const accessorError = (path: string, value: unknown, expected: string): string =>
  `${path} accessor error: ${goText(value)} is of the type ${goTypeOf(value)}, expected ${expected}`;

/** The `Scale` of a custom object. @throws StatusError when it does not say how many it wants */
export function customScaleOf(scale: CustomResourceSubresourceScale, object: KubernetesObject): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const wanted = valueAt(object, scale.specReplicasPath);
  if (typeof wanted !== "number")
    throw new StatusError(
      "InternalError",
      `Internal error occurred: the spec replicas field ${JSON.stringify(scale.specReplicasPath)} does not exist`,
      {
        causes: [{ message: `the spec replicas field ${JSON.stringify(scale.specReplicasPath)} does not exist` }],
      },
    );
  const present = valueAt(object, scale.statusReplicasPath);
  const selector = scale.labelSelectorPath ? valueAt(object, scale.labelSelectorPath) : undefined;
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: {
      ...(name !== undefined && { name }),
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(creationTimestamp !== undefined && { creationTimestamp }),
    },
    spec: { ...(wanted !== 0 && { replicas: wanted }) },
    status: { replicas: typeof present === "number" ? present : 0, ...(typeof selector === "string" && selector !== "" && { selector }) },
  };
}

/** A copy that wants this many. */
export function withCustomReplicas(scale: CustomResourceSubresourceScale, object: KubernetesObject, replicas: number): KubernetesObject {
  const copy = cloneJson(object);
  const steps = stepsOf(scale.specReplicasPath);
  let holder = copy as unknown as JsonObject;
  for (const step of steps.slice(0, -1)) {
    const inner = holder[step];
    const next: JsonObject = isJsonObject(inner) ? inner : {};
    holder[step] = next;
    holder = next;
  }
  holder[steps.at(-1) ?? ""] = replicas;
  return copy;
}

/** Where the number of replicas is, for those who own it. */
export const replicasPath = (scale: CustomResourceSubresourceScale): string[] => stepsOf(scale.specReplicasPath);
