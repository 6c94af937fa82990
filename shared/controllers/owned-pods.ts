import { pods } from "../kubernetes/known-resources.ts";
import type { Pod } from "../kubernetes/types.ts";
import { type ClusterView, objectOf } from "../store/view.ts";
import { controllerOf } from "./owners.ts";
import { isOf } from "./same-resource.ts";

/** The pods that the object of this uid controls, as the view shows them now. */
export function podsControlledBy(view: ClusterView, uid: string): Pod[] {
  return view
    .ownedBy(uid)
    .filter(({ key, object }) => isOf(pods, key) && controllerOf(object)?.uid === uid)
    .map((stored) => objectOf<Pod>(stored));
}
