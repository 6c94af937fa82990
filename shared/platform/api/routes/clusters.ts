import { z } from "zod";
import { identifier, toTimestamp } from "../../fields.ts";
import { renderKubeconfig } from "../../kubeconfig.ts";
import { PlatformError } from "../../problem.ts";
import type { ClusterRecord } from "../../records.ts";
import { clusterCreate, clusterResource, clusterUpdate, credentialsCreate, credentialsResource } from "../../resources.ts";
import { endpointOf, showCluster } from "../../show.ts";
import { showPage } from "../list.ts";
import { defineRoute, nothing, pageOf, pageQuery, type Route } from "../route.ts";
import type { PlatformServices } from "../services.ts";

const params = z.strictObject({ cluster: identifier });

export function clusterRoutes({ clusters, pools, tokens, cursors, server, wakeReaper }: PlatformServices): Route[] {
  async function show(records: readonly ClusterRecord[]) {
    const [first] = records;
    const own = first
      ? await pools.getMany(
          first.tenant,
          records.map(({ pool }) => pool),
        )
      : [];
    return records.map((record, index) => showCluster(record, own[index]?.value, server()));
  }
  async function showOne(record: ClusterRecord) {
    const [pool] = await pools.getMany(record.tenant, [record.pool]);
    return showCluster(record, pool?.value, server());
  }

  return [
    defineRoute({
      ...nothing,
      method: "post",
      path: "/v1/clusters",
      operationId: "createCluster",
      summary: "Creates a cluster, with a pool of its own unless it names one",
      scope: "clusters:write",
      body: clusterCreate,
      status: 201,
      response: clusterResource,
      problems: ["name-taken", "quota-exceeded", "not-found", "conflict"],
      async handle({ caller, body }) {
        const { nodes = 0, runtime = "auto", labels = {}, ...rest } = body;
        const { value, version } = await clusters.create(caller.tenant, { ...rest, nodes, runtime, labels });
        return { body: await showOne(value), version, location: `/v1/clusters/${value.id}` };
      },
    }),
    defineRoute({
      ...nothing,
      method: "get",
      path: "/v1/clusters",
      operationId: "listClusters",
      summary: "Lists clusters in the order of their making",
      scope: "clusters:read",
      query: pageQuery.extend({ name: z.string().max(63).exactOptional().meta({ description: "Only the cluster of this name." }) }),
      status: 200,
      response: pageOf(clusterResource),
      async handle({ caller, query: { name, ...page } }) {
        if (name !== undefined) {
          const found = await clusters.findByName(caller.tenant, name);
          return { body: { items: found ? await show([found.value]) : [], nextCursor: null } };
        }
        const list = `clusters ${caller.tenant}`;
        return { body: await showPage(cursors, list, page, (part) => clusters.list(caller.tenant, part), show) };
      },
    }),
    defineRoute({
      ...nothing,
      method: "get",
      path: "/v1/clusters/{cluster}",
      operationId: "getCluster",
      summary: "Shows a cluster",
      scope: "clusters:read",
      params,
      status: 200,
      response: clusterResource,
      problems: ["not-found"],
      async handle({ caller, params }) {
        const { value, version } = await clusters.get(caller.tenant, params.cluster);
        return { body: await showOne(value), version };
      },
    }),
    defineRoute({
      ...nothing,
      method: "patch",
      path: "/v1/clusters/{cluster}",
      operationId: "updateCluster",
      summary: "Resizes, renames or labels a cluster",
      scope: "clusters:write",
      params,
      body: clusterUpdate,
      status: 200,
      response: clusterResource,
      problems: ["not-found", "name-taken", "conflict"],
      conditional: true,
      async handle({ caller, params, body, expected }) {
        const { value, version } = await clusters.update(caller.tenant, params.cluster, body, expected);
        return { body: await showOne(value), version };
      },
    }),
    defineRoute({
      ...nothing,
      method: "delete",
      path: "/v1/clusters/{cluster}",
      operationId: "deleteCluster",
      summary: "Deletes a cluster with all it holds; it is `deleting` until that is done, and then gone",
      scope: "clusters:write",
      params,
      status: 202,
      response: clusterResource,
      problems: ["not-found"],
      conditional: true,
      async handle({ caller, params, expected }) {
        const { value, version } = await clusters.remove(caller.tenant, params.cluster, expected);
        wakeReaper();
        return { body: await showOne(value), version };
      },
    }),
    defineRoute({
      ...nothing,
      method: "post",
      path: "/v1/clusters/{cluster}/credentials",
      operationId: "createClusterCredentials",
      summary: "Makes a kubeconfig with a short-lived token, or with a command that fetches one",
      scope: "clusters:write",
      params,
      body: credentialsCreate,
      status: 201,
      response: credentialsResource,
      problems: ["not-found", "conflict"],
      async handle({ caller, params, body }) {
        const { value } = await clusters.get(caller.tenant, params.cluster);
        if (value.state === "deleting") throw new PlatformError("conflict", "The cluster is being deleted.");
        const { url, caPem } = server();
        const common = { name: value.name, server: endpointOf(value.id, url), caPem };
        if (body.kind === "exec") {
          const user = { kind: "exec", command: "coracle", args: ["cluster", "token", value.id] } as const;
          return { body: { kubeconfig: renderKubeconfig({ ...common, user }), token: null, expiresAt: null } };
        }
        const { token, expiresAtMs } = await tokens.issueClusterToken({
          cluster: { tenant: value.tenant, cluster: value.id },
          username: body.username ?? `key:${caller.key.name}`,
          groups: body.groups,
          expirationSeconds: body.ttlSeconds,
        });
        const kubeconfig = renderKubeconfig({ ...common, user: { kind: "token", token } });
        return { body: { kubeconfig, token, expiresAt: toTimestamp(expiresAtMs) } };
      },
    }),
  ];
}
