import { type Container, startContainer } from "../../../../server/container/host.ts";
import { readContainerSettings } from "../../../../server/container/settings.ts";
import { createHttp, type HttpAnswer, type HttpClient } from "../../../e2e/http.ts";
import { type Bed, createFunctionBed } from "../../functions/function-bed.ts";

export interface Process {
  readonly container: Container;
  /** With this token, at this server. */
  as(token: string): HttpClient;
  close(): Promise<void>;
}

/** Server processes (in this one) over the table in memory that the functions of a bed work on, too. */
export function createContainerBed(bed: Bed = createFunctionBed({ variables: { CORACLE_CLUSTER_API_URL: "" } })) {
  const processes: Process[] = [];
  return {
    bed,
    async start(variables: Record<string, string> = {}): Promise<Process> {
      const settings = readContainerSettings({ CORACLE_PORT: "0", ...variables });
      const container = await startContainer(settings, bed.ports()());
      const clients: HttpClient[] = [];
      let closing: Promise<void> | undefined;
      const started: Process = {
        container,
        as(token) {
          const client = createHttp(container.url, container.caPem, token);
          clients.push(client);
          return client;
        },
        close() {
          closing ??= container.close().finally(() => {
            for (const client of clients) client.close();
          });
          return closing;
        },
      };
      processes.push(started);
      return started;
    },
    async stop(): Promise<void> {
      await Promise.all(processes.map((each) => each.close()));
    },
  };
}

export type ContainerBed = ReturnType<typeof createContainerBed>;

export const answered = (answer: HttpAnswer, status: number): HttpAnswer => {
  if (answer.status !== status) throw new Error(`${answer.status}: ${answer.text}`);
  return answer;
};

/** A tenant with a cluster, made at one process. */
export async function createCluster({ bed }: ContainerBed, { as }: Process, tenant = "acme") {
  const operator = as(bed.operatorKey);
  answered(await operator.send("/v1/tenants", { method: "POST", body: { id: tenant, name: tenant } }), 201);
  const scopes = ["clusters:write", "nodes:write"];
  const { key } = answered(await operator.send(`/v1/tenants/${tenant}/keys`, { method: "POST", body: { name: "ci", scopes } }), 201).json<{
    key: string;
  }>();
  const platform = as(key);
  const cluster = answered(await platform.send("/v1/clusters", { method: "POST", body: { name: "dev" } }), 201).json<{
    id: string;
    pool: string;
  }>();
  const credentials = answered(await platform.send(`/v1/clusters/${cluster.id}/credentials`, { method: "POST", body: {} }), 201).json<{
    token: string;
  }>();
  const join = answered(await platform.send(`/v1/pools/${cluster.pool}/join-tokens`, { method: "POST", body: {} }), 201).json<{
    token: string;
  }>();
  return { ...cluster, tenant, key, token: credentials.token, joinToken: join.token, path: `/clusters/${cluster.id}` };
}
