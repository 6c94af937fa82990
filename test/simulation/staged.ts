import type { Violation } from "./history.ts";
import type { World } from "./world.ts";

/** Lets a story happen in its world until it is over; answers what went wrong that nothing in it expects. */
export async function staged(world: World, story: Promise<void>, mostHappenings: number): Promise<Violation | undefined> {
  let crashed: unknown;
  let over = false;
  const onCrash = (error: unknown): void => {
    crashed ??= error;
  };
  story.then(
    () => {
      over = true;
    },
    (error: unknown) => onCrash(error),
  );
  process.on("unhandledRejection", onCrash);
  try {
    await world.run(() => over || crashed !== undefined, mostHappenings);
  } catch (error) {
    crashed ??= error;
  } finally {
    process.off("unhandledRejection", onCrash);
  }
  return crashed === undefined
    ? undefined
    : { rule: "no error but a StoreError", story: String(crashed instanceof Error ? crashed.stack : crashed) };
}
