import { pods } from "../kubernetes/known-resources.ts";
import { isStatus } from "../kubernetes/status-error.ts";
import type { Pod } from "../kubernetes/types.ts";
import { objectOf } from "../store/view.ts";
import type { ClusterRuntime } from "./cluster-runtime.ts";

const deletions = 20;

/** Asks a cluster's pods to end; nothing may make new ones any more. Answers how many are left. */
export async function drainCluster(runtime: ClusterRuntime): Promise<number> {
  const asked = podsOf(runtime).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  await eachOf(asked, ({ metadata: { namespace = "", name = "" } }) =>
    runtime.client.delete(pods, namespace, name, { gracePeriodSeconds: 5 }),
  );
  return runtime.cluster.mirror.count(pods);
}

/** What did not end goes without its node's word, and past its finalizers: a machine of a shared pool gets its room back. */
export async function dropPods(runtime: ClusterRuntime): Promise<void> {
  await eachOf(podsOf(runtime), async ({ metadata: { namespace = "", name = "", finalizers } }) => {
    if (finalizers?.length) await runtime.client.patch(pods, namespace, name, { type: "merge", body: { metadata: { finalizers: null } } });
    await runtime.client.delete(pods, namespace, name, { gracePeriodSeconds: 0 });
  });
}

/** Those that have to end pods. */
export const nodesWithPods = (runtime: ClusterRuntime): Set<string> => new Set(podsOf(runtime).flatMap(({ spec }) => spec?.nodeName ?? []));

const podsOf = ({ cluster }: ClusterRuntime): Pod[] => cluster.mirror.list(pods).map((stored) => objectOf<Pod>(stored));

async function eachOf(list: readonly Pod[], run: (pod: Pod) => Promise<void>): Promise<void> {
  for (let at = 0; at < list.length; at += deletions) {
    await Promise.all(
      list.slice(at, at + deletions).map(async (pod) => {
        try {
          await run(pod);
        } catch (error) {
          if (!isStatus(error, "NotFound")) throw error;
        }
      }),
    );
  }
}
