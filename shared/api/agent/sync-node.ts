import { nodes, serviceAccounts } from "../../kubernetes/known-resources.ts";
import { isStatus } from "../../kubernetes/status-error.ts";
import type { Node, Pod } from "../../kubernetes/types.ts";
import { objectOf } from "../../store/view.ts";
import type { Log } from "../../telemetry/log.ts";
import { applyEnd, applyEvent, applyStatus } from "./apply-report.ts";
import type { NodeIdentity, PodTokenIssuer, PoolCluster } from "./ports.ts";
import type { SyncRequest, TokenAnswer, TokenRequest } from "./protocol.ts";

const concurrency = 64;

/** Runs `work` over all items, at most 64 at a time; items of one key follow each other. */
async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const runner = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, runner));
}

/** Writes what a sync carries up. Answers the uids that have to be sent again. */
export async function applySync(
  clusters: ReadonlyMap<string, PoolCluster>,
  node: NodeIdentity,
  request: SyncRequest,
  log: Log,
): Promise<string[]> {
  const retry = new Set<string>();
  const latest = new Map(request.statuses.map((entry) => [`${entry.cluster}/${entry.uid}`, entry]));
  await forEach([...latest.values()], async (entry) => {
    const cluster = clusters.get(entry.cluster);
    if (cluster !== undefined && (await applyStatus(cluster, node.nodeName, entry, log)) === "retry") retry.add(entry.uid);
  });
  await forEach(request.ended, async (entry) => {
    const cluster = clusters.get(entry.cluster);
    if (cluster !== undefined && (await applyEnd(cluster, node.nodeName, entry, log)) === "retry") retry.add(entry.uid);
  });
  const lastOfName = new Map(request.events.map((event) => [`${event.cluster}/${event.namespace}/${event.name}`, event]));
  await forEach([...lastOfName.values()], async (event) => {
    const cluster = clusters.get(event.cluster);
    if (cluster !== undefined) await applyEvent(cluster, node.nodeName, event, log);
  });
  return [...retry];
}

interface TokenPorts {
  readonly issuer: PodTokenIssuer;
  readonly log: Log;
}

/** Issues tokens for the node's own pods, under the pod's own ServiceAccount and no other. */
export async function answerTokenRequests(
  clusters: ReadonlyMap<string, PoolCluster>,
  node: NodeIdentity,
  requests: readonly TokenRequest[],
  ports: TokenPorts,
): Promise<TokenAnswer[]> {
  const answers: TokenAnswer[] = [];
  for (const request of requests) answers.push(await answerTokenRequest(clusters.get(request.cluster), node, request, ports));
  return answers;
}

async function answerTokenRequest(
  cluster: PoolCluster | undefined,
  node: NodeIdentity,
  request: TokenRequest,
  { issuer, log }: TokenPorts,
): Promise<TokenAnswer> {
  const { podUid, audience, expirationSeconds } = request;
  const answer = { cluster: request.cluster, podUid, audience, expirationSeconds };
  const refuse = (message: string): TokenAnswer => ({ ...answer, message });
  if (cluster === undefined) return refuse("the cluster does not draw on this node's pool");
  const pod = cluster.view
    .podsOnNode(node.nodeName)
    .map((stored) => objectOf<Pod>(stored))
    .find(({ metadata }) => metadata.uid === podUid && metadata.namespace === request.namespace);
  if (pod === undefined) return refuse("the pod does not run on this node");
  if ((pod.spec?.serviceAccountName ?? "default") !== request.serviceAccount) return refuse("the pod runs under another ServiceAccount");
  const account = cluster.view.get(serviceAccounts, request.namespace, request.serviceAccount);
  if (account === undefined) return refuse(`serviceaccounts "${request.serviceAccount}" not found`);
  const nodeObject = cluster.view.get(nodes, "", node.nodeName);
  try {
    const { token, expiresAtMs } = await issuer.issue({
      tenant: node.tenant,
      cluster: cluster.id,
      namespace: request.namespace,
      serviceAccount: { name: request.serviceAccount, uid: account.object.metadata.uid ?? "" },
      pod: { name: pod.metadata.name ?? "", uid: podUid },
      node: { name: node.nodeName, uid: nodeObject === undefined ? undefined : objectOf<Node>(nodeObject).metadata.uid },
      audiences: audience === "" ? [] : [audience],
      expirationSeconds,
    });
    return { ...answer, token, expiresAt: new Date(expiresAtMs).toISOString() };
  } catch (error) {
    if (isStatus(error)) return refuse(error.message);
    log.error("token not issued", error, { cluster: cluster.id, pod: podUid });
    return refuse("the token could not be issued");
  }
}
