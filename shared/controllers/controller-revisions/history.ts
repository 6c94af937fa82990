import { templateHash } from "../../kubernetes/hash.ts";
import { controllerRevisions } from "../../kubernetes/known-resources.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import { isStatus } from "../../kubernetes/status-error.ts";
import type { ControllerRevision, PodTemplateSpec } from "../../kubernetes/types.ts";
import { type Change, type ClusterView, objectOf } from "../../store/view.ts";
import type { ControllerContext } from "../controller.ts";
import { unlessMissing } from "../failures.ts";
import { keysOfOwners, selectsByLabels } from "../owner-keys.ts";
import { claimOwned, controllerOf, controllerReference, type OrphanIndex, type OwnerKind } from "../owners.ts";
import { byRevision, keeps, type RevisionData, revisionName } from "./revision-data.ts";

/** Who has revisions, and the label of theirs that holds the hash. */
export interface HistoryOwner {
  readonly kind: OwnerKind;
  readonly object: KubernetesObject & { readonly spec?: { readonly template: PodTemplateSpec } };
  readonly hashLabel: string;
}

/** The revisions that the owner controls, oldest first; orphans that match its selector are adopted, others that do not are released. */
export async function claimRevisions(
  { kind, object }: HistoryOwner,
  orphans: OrphanIndex,
  { view, client }: ControllerContext,
): Promise<ControllerRevision[]> {
  const claimed = await claimOwned<ControllerRevision>({
    view,
    client,
    owner: kind,
    claimer: object,
    resource: controllerRevisions,
    orphans,
    matches: (revision) => selectsByLabels(object, revision),
  });
  return claimed.sort(byRevision);
}

/** Makes the next revision. A name that is taken by other data counts as a collision, and the hash is another one (`CreateControllerRevision`). */
export async function createRevision(
  { kind, object, hashLabel }: HistoryOwner,
  data: RevisionData,
  revision: number,
  collisionCount: number | undefined,
  { view, client }: ControllerContext,
): Promise<{ revision: ControllerRevision; collisionCount: number | undefined }> {
  const { namespace = "", uid, annotations } = object.metadata;
  for (let collisions = collisionCount; ; collisions = (collisions ?? 0) + 1) {
    const hash = templateHash(data, collisions);
    const name = revisionName(object, hash);
    const wanted: ControllerRevision = {
      apiVersion: "apps/v1",
      kind: "ControllerRevision",
      metadata: {
        name,
        namespace,
        labels: { ...object.spec?.template.metadata?.labels, [hashLabel]: hash },
        ...(annotations && { annotations }),
        ownerReferences: [controllerReference(kind, object)],
      },
      data,
      revision,
    };
    try {
      return { revision: objectOf<ControllerRevision>(await client.create(controllerRevisions, wanted)), collisionCount: collisions };
    } catch (error) {
      const stored = isStatus(error, "AlreadyExists") ? view.get(controllerRevisions, namespace, name) : undefined;
      if (!stored) throw error;
      const existing = objectOf<ControllerRevision>(stored);
      if (controllerOf(existing)?.uid === uid && keeps(existing, data)) return { revision: existing, collisionCount: collisions };
    }
  }
}

/** The same revision with another number: what is taken up again comes last. On condition that nobody changed it meanwhile. */
export async function renumber(revision: ControllerRevision, number: number, { client }: ControllerContext): Promise<ControllerRevision> {
  if (revision.revision === number) return revision;
  return objectOf<ControllerRevision>(await client.update(controllerRevisions, { ...revision, revision: number } as ControllerRevision));
}

export async function deleteRevisions(revisions: readonly ControllerRevision[], { client }: ControllerContext): Promise<void> {
  for (const { metadata } of revisions) {
    const { namespace = "", name = "", uid = "" } = metadata;
    await unlessMissing(client.delete(controllerRevisions, namespace, name, { uid }));
  }
}

/** The owners that a change of a revision concerns. One that comes with its controller is that controller's own doing (`addHistory`). */
export function keysOfRevision(change: Change, view: ClusterView, kind: OwnerKind): string[] {
  return change.type === "ADDED" && controllerOf(change.object) ? [] : keysOfOwners(change, view, kind, selectsByLabels);
}
