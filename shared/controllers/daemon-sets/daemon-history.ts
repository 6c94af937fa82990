import { controllerRevisions, pods as podResource } from "../../kubernetes/known-resources.ts";
import type { ControllerRevision, Pod, PodTemplateSpec } from "../../kubernetes/types.ts";
import { objectOf } from "../../store/view.ts";
import type { ControllerContext } from "../controller.ts";
import { createRevision, deleteRevisions, type HistoryOwner, renumber } from "../controller-revisions/history.ts";
import { keeps, nextRevision, revisionData } from "../controller-revisions/revision-data.ts";
import { unlessMissing } from "../failures.ts";
import { hashLabel } from "./daemon-pods.ts";

export interface DaemonHistory {
  /** The one that keeps the set's template. */
  readonly current: ControllerRevision;
  readonly old: readonly ControllerRevision[];
  readonly collisionCount: number | undefined;
}

/** Finds or makes the revision of the set's template, and has it come last (`constructHistory`). `revisions` are the set's, oldest first. */
export async function historyOf(
  owner: HistoryOwner,
  template: PodTemplateSpec,
  revisions: readonly ControllerRevision[],
  pods: readonly Pod[],
  collisionCount: number | undefined,
  context: ControllerContext,
): Promise<DaemonHistory> {
  const data = revisionData(template);
  const labelled: ControllerRevision[] = [];
  for (const revision of revisions) labelled.push(await withHash(revision, context));
  const old = labelled.filter((revision) => !keeps(revision, data));
  const same = labelled.filter((revision) => keeps(revision, data));
  const last = same.at(-1);
  if (!last) {
    const created = await createRevision(owner, data, nextRevision(old), collisionCount, context);
    return { current: created.revision, old, collisionCount: created.collisionCount };
  }
  if (same.length > 1) await unite(last, same.slice(0, -1), pods, context);
  return { current: await renumber(last, Math.max(last.revision, nextRevision(old)), context), old, collisionCount };
}

/** A revision that says no hash is known by its name. */
async function withHash(revision: ControllerRevision, { client }: ControllerContext): Promise<ControllerRevision> {
  const { labels, name = "" } = revision.metadata;
  if (labels?.[hashLabel] !== undefined) return revision;
  const metadata = { ...revision.metadata, labels: { ...labels, [hashLabel]: name } };
  return objectOf<ControllerRevision>(await client.update(controllerRevisions, { ...revision, metadata } as ControllerRevision));
}

/** Several revisions keep one template: the last stays, and every pod is of it (`dedupCurHistories`). */
async function unite(
  kept: ControllerRevision,
  others: readonly ControllerRevision[],
  pods: readonly Pod[],
  context: ControllerContext,
): Promise<void> {
  const hash = kept.metadata.labels?.[hashLabel];
  for (const { metadata } of pods) {
    const { namespace = "", name = "", uid, labels } = metadata;
    if (labels?.[hashLabel] === hash) continue;
    const body = { metadata: { uid, labels: { [hashLabel]: hash } } };
    await unlessMissing(context.client.patch(podResource, namespace, name, { type: "merge", body }));
  }
  await deleteRevisions(others, context);
}

/** Deletes the oldest of the old revisions that no pod is of, as far as they are more than the limit (`cleanupHistory`). */
export async function truncate(
  old: readonly ControllerRevision[],
  limit: number,
  pods: readonly Pod[],
  context: ControllerContext,
): Promise<void> {
  const live = new Set(pods.map(({ metadata }) => metadata.labels?.[hashLabel]));
  const dead = old.filter(({ metadata }) => !live.has(metadata.labels?.[hashLabel]));
  await deleteRevisions(dead.slice(0, Math.max(0, old.length - limit)), context);
}
