import { createUsageWriter } from "../shared/metering/usage-writer.ts";
import type { Dependencies } from "./dependencies.ts";

type Settling = Pick<Dependencies, "later" | "settle" | "finish">;

/** What is left to do when an answer is there, and when it has to be done. */
export function createSettling(
  dependencies: Pick<Dependencies, "storeOf" | "clock" | "log" | "meter" | "uid" | "environment" | "installation">,
): Settling {
  const { storeOf, clock, log, meter, uid, environment, installation } = dependencies;
  const usage = createUsageWriter({ storeOf, clock, log, meter, writerId: uid() });
  const underWay = new Set<Promise<unknown>>();
  let usageWrittenMs = clock.now();
  const later: Settling["later"] = (name, work) => {
    const watched: Promise<unknown> = work
      .catch((error: unknown) => log.error("left undone", error, { name }))
      .finally(() => underWay.delete(watched));
    underWay.add(watched);
  };
  const ended = async (): Promise<void> => {
    while (underWay.size > 0) await Promise.all(underWay);
  };
  const finish = async (): Promise<void> => {
    await ended();
    usageWrittenMs = clock.now();
    await usage.flush();
  };
  return {
    later,
    finish,
    async settle() {
      later("signing keys", installation.signingKeys.keepUp());
      await ended();
      if (clock.now() - usageWrittenMs >= environment.usageSeconds * 1000) await finish();
    },
  };
}
