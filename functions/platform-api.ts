import { version } from "../shared/api/non-resource.ts";
import { createNodeOperations } from "../shared/host/node-operations.ts";
import { createPlatform, type Platform } from "../shared/platform/platform.ts";
import { lambdaPorts } from "./aws-ports.ts";
import type { Dependencies } from "./dependencies.ts";
import { createUrlHandler } from "./function-url.ts";
import { opener } from "./opener.ts";
import { createOperatorDoor } from "./operator-door.ts";
import { createDirectory, createFunctionProvisioner, tellByMarks } from "./platform-domain.ts";
import type { FunctionPorts } from "./ports.ts";
import { fromWebResponse, originOf, toWebRequest } from "./requests.ts";

/** `caPem`: of the server's certificate, where it is not one that everybody trusts. */
export function createPlatformFunction(dependencies: Dependencies, served = createDirectory(dependencies), caPem?: string) {
  const { environment, installation } = dependencies;
  const { clusters, directory } = served;
  let origin = "";
  const platform: Platform = createPlatform({
    ...dependencies,
    provisioner: createFunctionProvisioner(dependencies, directory),
    operations: createNodeOperations(directory, () => platform.pools),
    cursorKey: installation.cursorKey,
    server: () => ({ url: environment.clusterApiUrl ?? origin, caPem, kubernetesVersion: version.gitVersion }),
  });
  tellByMarks(platform.news, dependencies);
  const admitOperator = createOperatorDoor(dependencies, platform);
  return {
    async serve(request: Request, from: string): Promise<Response> {
      origin = from;
      await admitOperator(request);
      return platform.app.fetch(request);
    },
    async settle(): Promise<void> {
      clusters.rest();
      await platform.heartbeats.flush();
      await dependencies.settle();
    },
  };
}

export function createHandler(ports: () => FunctionPorts) {
  const open = opener((dependencies) => createPlatformFunction(dependencies), ports);
  return createUrlHandler({
    serve: async (event) => fromWebResponse(await (await open()).serve(toWebRequest(event), originOf(event))),
    settle: async () => (await open()).settle(),
    ports,
  });
}

export const handler = createHandler(lambdaPorts);
