import { type AgentApiPorts, createAgentApi } from "../shared/api/agent/agent-api.ts";
import { createNodeOperations } from "../shared/host/node-operations.ts";
import { createNodePool } from "../shared/host/node-pool.ts";
import { createStreamsOfAll } from "../shared/host/record-streams.ts";
import { createPlatformNews } from "../shared/platform/news.ts";
import { createPlatformServices, type DomainServices } from "../shared/platform/platform-services.ts";
import { certifier } from "./certifier.ts";
import { type Dependencies, opener } from "./dependencies.ts";
import { createUrlHandler } from "./function-url.ts";
import { createNodeChanges, issuePodToken } from "./node-changes.ts";
import { createDirectory, createFunctionProvisioner, tellByMarks } from "./platform-domain.ts";
import { type FunctionPorts, lambdaPorts } from "./ports.ts";
import { fromWebResponse, toWebRequest } from "./requests.ts";

/** Whether a node lives is told by its calls; its object says again what it has only twice a day. */
const statusRefreshSeconds = 12 * 3600;

function createAgentFunction(dependencies: Dependencies) {
  const { environment, clock, log, meter, uid, streamsOf } = dependencies;
  const { clusters, directory } = createDirectory(dependencies);
  const services: DomainServices = createPlatformServices({
    ...dependencies,
    provisioner: createFunctionProvisioner(dependencies, directory),
    operations: createNodeOperations(directory, () => services.pools),
  });
  tellByMarks(services.news, dependencies);
  // What other processes wrote makes this one forget what it knew; it must not be told on as if it were this one's doing.
  const news = createPlatformNews();
  const pool = createNodePool({ ...services, news, host: directory, meter });
  const changes = createNodeChanges(dependencies, { pool, news, directory });
  const ports: AgentApiPorts = {
    ...certifier(dependencies),
    pool,
    changes,
    tokens: issuePodToken(dependencies),
    streams: createStreamsOfAll(streamsOf),
    clock,
    log,
    newId: uid,
  };
  const { busyPollSeconds: pollSeconds, idlePollSeconds } = environment;
  const { app } = createAgentApi(ports, { holdSeconds: 0, pollSeconds, idlePollSeconds, statusRefreshSeconds });
  return {
    app,
    async settle(): Promise<void> {
      clusters.rest();
      await services.heartbeats.flush();
      await dependencies.settle();
    },
  };
}

export function createHandler(ports: () => FunctionPorts) {
  const open = opener(createAgentFunction, ports);
  return createUrlHandler({
    serve: async (event) => fromWebResponse(await (await open()).app.fetch(toWebRequest(event))),
    settle: async () => (await open()).settle(),
    ports,
  });
}

export const handler = createHandler(lambdaPorts);
