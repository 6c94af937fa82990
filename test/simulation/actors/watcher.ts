import type { StoreError } from "../../../shared/store/store.ts";
import type { ActorState, Host } from "../bench.ts";
import type { Stretch } from "../history.ts";
import { cluster, seenEntry } from "../objects.ts";
import { begin, codeOf } from "./calls.ts";

/** Follows the log from where it was, for a while, then goes away and comes back. Where the log is gone it lists first, as informers do. */
export async function watch(host: Host, actor: ActorState): Promise<void> {
  const { random, store, process } = host;
  if (actor.position === undefined) {
    try {
      actor.position = random.chance(0.5) ? 1 : (await store.snapshot(cluster)).revision;
    } catch (error) {
      codeOf(error);
      return;
    }
  }
  const { span, note, end } = begin(host, actor);
  const after = actor.position;
  const call: Stretch = note({
    ...span,
    kind: "stretch",
    way: "follow",
    after,
    through: after,
    entries: [],
    slowestMs: 0,
    failed: undefined,
  });
  const ended = Promise.withResolvers<StoreError | undefined>();
  const stop = store.follow(
    cluster,
    after,
    (entries, through) => {
      call.entries.push(...entries.map(seenEntry));
      call.through = through;
      // A client resumes from the last event it has, or from a bookmark.
      actor.position = random.chance(0.5) ? through : (entries.at(-1)?.revision ?? actor.position);
    },
    (error) => ended.resolve(error),
  );
  process.after(random.between(50, 1500), () => ended.resolve(undefined));
  const error = await ended.promise;
  stop();
  if (error) {
    call.failed = error.code;
    if (error.code === "Compacted") actor.position = undefined;
  }
  end(call);
}
