import type { Controller, ControllerContext } from "../../../shared/controllers/controller.ts";
import { createControllerLoop } from "../../../shared/controllers/controller-loop.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import type { FakeCluster } from "./fake-cluster.ts";

/** Controllers at work on a fake cluster. */
export interface RunningControllers {
  /** Resolves when nothing is left to do at this time. */
  settle(): Promise<void>;
  /** Moves the clock in steps of a second, letting the controllers act in between. */
  pass(seconds: number): Promise<void>;
  stop(): Promise<void>;
}

export function contextOf(cluster: FakeCluster): ControllerContext {
  let state = 1;
  const random = (): number => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  return { view: cluster.view, client: cluster.client, clock: cluster.clock, log: silentLog, random };
}

export async function runControllers(cluster: FakeCluster, ...controllers: Controller[]): Promise<RunningControllers> {
  const loop = createControllerLoop({ controllers, context: contextOf(cluster) });
  loop.start();
  await loop.idle();
  return {
    settle: () => loop.idle(),
    async pass(seconds) {
      for (let second = 0; second < seconds; second++) {
        cluster.clock.advance(1000);
        await loop.idle();
      }
    },
    stop: () => loop.stop(),
  };
}
