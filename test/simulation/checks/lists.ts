import type { Seen, SeenEntry, Violation } from "../history.ts";
import { collectionOfPath } from "../objects.ts";
import type { Judged } from "./all.ts";

/** A list is exactly what there was at its revision, and so is what a mirror shows. */
export function* checkLists({ calls, truth }: Judged): Generator<Violation> {
  for (const call of calls) {
    if (call.kind === "list" && call.failed === undefined && call.endMs !== undefined) {
      const difference = differenceOf(call.objects, truth.stateAt(call.revision), call.collection);
      if (difference) yield { rule: "a list is exact at its revision", story: `${call.actor} at ${call.revision}: ${difference}` };
    }
    if (call.kind === "look") {
      const difference = differenceOf(call.objects, truth.stateAt(call.at), undefined);
      if (difference)
        yield {
          rule: "a mirror equals the store",
          story: `${call.actor} at ${call.at} (the mirror is at ${call.revision}): ${difference}`,
        };
    }
  }
}

function differenceOf(shown: readonly Seen[], state: ReadonlyMap<string, SeenEntry>, collection: string | undefined): string | undefined {
  const wanted = new Map([...state].filter(([path]) => collection === undefined || collectionOfPath(path) === collection));
  for (const { path, revision, value } of shown) {
    const right = wanted.get(path);
    wanted.delete(path);
    if (!right) return `${path} is shown as ${value}@${revision} and was not there`;
    if (right.revision !== revision || right.value !== value)
      return `${path} is shown as ${value}@${revision} and was ${right.value}@${right.revision}`;
  }
  const [missing] = wanted.values();
  return missing && `${missing.path} was ${missing.value}@${missing.revision} and is not shown`;
}
