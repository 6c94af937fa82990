import { createAgentApi } from "../shared/api/agent/agent-api.ts";
import type { AgentApiPorts } from "../shared/api/agent/agent-api-ports.ts";
import { createNodeOperations } from "../shared/host/node-operations.ts";
import { createPlatformServices, type DomainServices } from "../shared/platform/platform-services.ts";
import { createAgentPorts } from "./agent-ports.ts";
import { lambdaPorts } from "./aws-ports.ts";
import type { Dependencies } from "./dependencies.ts";
import { createUrlHandler } from "./function-url.ts";
import { opener } from "./opener.ts";
import { createDirectory, createFunctionProvisioner, tellByMarks } from "./platform-domain.ts";
import type { FunctionPorts } from "./ports.ts";
import { fromWebResponse, toWebRequest } from "./requests.ts";

/** Whether a node lives is told by its calls; its object says again what it has only twice a day. */
const statusRefreshSeconds = 12 * 3600;

/** `tunnels`: of a host whose connections can change their protocol. */
export function createAgentFunction(
  dependencies: Dependencies,
  served = createDirectory(dependencies),
  tunnels?: AgentApiPorts["tunnels"],
) {
  const { busyPollSeconds: pollSeconds, idlePollSeconds } = dependencies.environment;
  const { clusters, directory } = served;
  const services: DomainServices = createPlatformServices({
    ...dependencies,
    provisioner: createFunctionProvisioner(dependencies, directory),
    operations: createNodeOperations(directory, () => services.pools),
  });
  tellByMarks(services.news, dependencies);
  const ports = { ...createAgentPorts(dependencies, services, directory), ...(tunnels && { tunnels }) };
  const { app, acceptTunnel } = createAgentApi(ports, { holdSeconds: 0, pollSeconds, idlePollSeconds, statusRefreshSeconds });
  return {
    app,
    acceptTunnel,
    async settle(): Promise<void> {
      clusters.rest();
      await services.heartbeats.flush();
      await dependencies.settle();
    },
  };
}

export function createHandler(ports: () => FunctionPorts) {
  const open = opener((dependencies) => createAgentFunction(dependencies), ports);
  return createUrlHandler({
    serve: async (event) => fromWebResponse(await (await open()).app.fetch(toWebRequest(event))),
    settle: async () => (await open()).settle(),
    ports,
  });
}

export const handler = createHandler(lambdaPorts);
