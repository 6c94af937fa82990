import { endWatchBy } from "../shared/api/end-watch.ts";
import { lambdaPorts } from "./aws-ports.ts";
import { createFunctionSurface } from "./cluster-surface.ts";
import { createUrlHandler } from "./function-url.ts";
import { opener } from "./opener.ts";
import type { FunctionPorts } from "./ports.ts";
import { toApiRequest, urlOf } from "./requests.ts";

/** Watches end after this, whatever the client asked: one whose client has gone is not noticed by a function, and costs until it ends. */
const longestWatchSeconds = 290;

export function createHandler(ports: () => FunctionPorts) {
  const open = opener(createFunctionSurface, ports);
  return createUrlHandler({
    async serve(event, { untilMs }) {
      const { surface, heads, dependencies } = await open();
      heads.begin();
      const seconds = Math.min(longestWatchSeconds, (untilMs - dependencies.clock.now()) / 1000 - 1);
      return surface(toApiRequest(event, endWatchBy(urlOf(event), seconds)));
    },
    async settle() {
      const { clusters, dependencies } = await open();
      clusters.rest();
      await dependencies.settle();
    },
    ports,
  });
}

export const handler = createHandler(lambdaPorts);
