import type { Dependencies } from "./dependencies.ts";
import { openDependencies } from "./open-dependencies.ts";
import type { FunctionPorts } from "./ports.ts";

/** Opened once an instance; an opening that failed is tried again by the next invocation. */
export function opener<T>(open: (dependencies: Dependencies) => T | Promise<T>, ports: () => FunctionPorts): () => Promise<T> {
  let opening: Promise<T> | undefined;
  return () => {
    opening ??= openDependencies(ports()).then(open);
    opening.catch(() => {
      opening = undefined;
    });
    return opening;
  };
}
