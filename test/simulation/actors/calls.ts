import { isStoreError, type StoreErrorCode } from "../../../shared/store/store.ts";
import type { ActorState, Host } from "../bench.ts";
import type { Call } from "../history.ts";

/** Notes when a call begins, and when it ends how long it took and whether its process was stopped meanwhile. */
export function begin(host: Host, actor: ActorState) {
  const { calls, world } = host.scene;
  const { process } = host;
  const pausesBefore = host.pauses;
  return {
    span: { actor: `${actor.plan.name}@${process.name}`, startMs: world.nowMs, endMs: undefined, paused: false },
    note<C extends Call>(call: C): C {
      calls.push(call);
      return call;
    },
    /** Nothing comes back to a caller that is gone: whoever runs here is alive. */
    end(call: Call): void {
      call.endMs = world.nowMs;
      call.paused = host.pauses > pausesBefore;
    },
  };
}

/** @throws what is not an error of a store: a bug */
export function codeOf(error: unknown): StoreErrorCode {
  if (isStoreError(error)) return error.code;
  throw error;
}
