import type { Clock } from "../../shared/clock.ts";
import type { LifecycleHandler } from "../../shared/kubernetes/types.ts";
import { type CheckTarget, check } from "../probes/check.ts";

/** Runs a postStart or preStop hook to its end. Answers why it failed, or `undefined`. */
export async function runHook(
  handler: LifecycleHandler,
  target: CheckTarget,
  timeoutSeconds: number,
  clock: Clock,
): Promise<string | undefined> {
  if (handler.sleep !== undefined) {
    const seconds = Math.min(handler.sleep.seconds, timeoutSeconds);
    await new Promise<void>((resolve) => clock.after(seconds * 1000, resolve));
    return undefined;
  }
  const result = await check(handler, target, timeoutSeconds);
  return result.kind === "success" ? undefined : result.output;
}
