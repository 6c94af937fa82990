import type { GroupResource } from "../kubernetes/object.ts";

/** Whether the key is of this resource. */
export function isOf(resource: GroupResource, key: GroupResource): boolean {
  return key.resource === resource.resource && key.group === resource.group;
}
