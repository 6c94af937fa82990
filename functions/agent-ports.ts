import type { AgentApiPorts } from "../shared/api/agent/agent-api-ports.ts";
import type { NodePool } from "../shared/api/agent/ports.ts";
import type { RuntimeDirectory } from "../shared/host/cluster-runtime.ts";
import { createNodeChanges } from "../shared/host/node-changes.ts";
import { createNodePool } from "../shared/host/node-pool.ts";
import { createPodTokens } from "../shared/host/pod-tokens.ts";
import { createStreamsOfAll } from "../shared/host/record-streams.ts";
import { createPlatformNews } from "../shared/platform/news.ts";
import type { DomainServices } from "../shared/platform/platform-services.ts";
import { certifier } from "./certifier.ts";
import type { Dependencies } from "./dependencies.ts";
import { createStreamsOf } from "./streams.ts";

/** What the agent API stands on where each call may meet another process. */
export function createAgentPorts(dependencies: Dependencies, services: DomainServices, directory: RuntimeDirectory): AgentApiPorts {
  const { clock, log, uid: newId, meter, tokens, marksOf } = dependencies;
  // What other processes wrote makes this one forget what it knew; it must not be told on as if it were this one's doing.
  const news = createPlatformNews();
  const { changes, spokeBefore, authenticate } = createNodeChanges({ marksOf, clock, pool: () => pool, news, directory });
  const own = createNodePool({ ...services, news, host: directory, meter, spokeBefore });
  const pool: NodePool = {
    ...own,
    authenticate: (credential) => authenticate(credential, () => own.authenticate(credential)),
    seen(node, atMs) {
      // Not every call is a write: whoever is asked after has spoken within the last one and a half idle polls.
      if (atMs - (spokeBefore(node) ?? 0) >= 1.5 * dependencies.environment.idlePollSeconds * 1000) own.seen(node, atMs);
    },
  };
  return {
    ...certifier(dependencies),
    pool,
    changes: {
      ...changes,
      async state(node) {
        // A call that has nothing to say asks for nothing else.
        await own.knowUser(node);
        return changes.state(node);
      },
    },
    tokens: createPodTokens(tokens),
    streams: createStreamsOfAll(createStreamsOf(dependencies)),
    clock,
    log,
    newId,
  };
}
