import type { KubernetesObject } from "../kubernetes/object.ts";
import { parseTime } from "./timestamp.ts";

/**
 * When this state of the object was written, in milliseconds since 1970, to the second: by the server's own times, whatever the object says else.
 * Its creation where nobody's fields are tracked.
 */
export function writtenAt({ metadata }: KubernetesObject): number {
  const writes = (metadata.managedFields ?? []).map(({ time }) => parseTime(time) ?? 0);
  return Math.max(parseTime(metadata.creationTimestamp) ?? 0, ...writes);
}
