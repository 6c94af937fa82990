import { deepEqual } from "../../deep-equal.ts";
import type { StatusCause } from "../../status-error.ts";
import type { Pod } from "../../types.ts";
import { forbidden } from "../field-error.ts";
import { goQuote } from "../go-text.ts";
import { checkAnnotationChanges, checkPod, isMirrorPod } from "./pod.ts";
import { specDifference } from "./spec-difference.ts";

/** How Go prints the path of the object itself. */
const root = "[]";
const path = "spec.ephemeralContainers";

/** `ValidatePodEphemeralContainersUpdate`, but for the metadata: containers are added, and stay as they are. */
export function validateEphemeralContainers(next: Pod, live: Pod): StatusCause[] {
  if (isMirrorPod(live)) return [forbidden(root, "static pods do not support ephemeral containers")];
  const causes = [...checkPod(next, next.spec ?? { containers: [] }), ...checkAnnotationChanges(next, live)];
  const known = new Map((next.spec?.ephemeralContainers ?? []).map((container) => [container.name, container]));
  for (const old of live.spec?.ephemeralContainers ?? []) {
    const container = known.get(old.name);
    const named = `existing ephemeral containers ${goQuote(old.name)}`;
    if (container === undefined) causes.push(forbidden(path, `${named} may not be removed\n`));
    else if (!deepEqual(container, old))
      causes.push(forbidden(path, `${named} may not be changed\n${specDifference("core.EphemeralContainer", old, container)}`));
  }
  return causes;
}
