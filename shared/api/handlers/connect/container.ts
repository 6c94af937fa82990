import { StatusError } from "../../../kubernetes/status-error.ts";
import type { Pod } from "../../../kubernetes/types.ts";

/** The container that a request means: the only one where it names none (`validateContainer` of pkg/registry/core/pod). @throws StatusError `BadRequest` */
export function chooseContainer({ spec }: Pod, asked: string, podName: string): string {
  const all = [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])].map(({ name }) => name);
  if (asked !== "") {
    if (!all.includes(asked)) throw new StatusError("BadRequest", `container ${asked} is not valid for pod ${podName}`);
    return asked;
  }
  const [only, ...more] = spec?.containers ?? [];
  if (only === undefined) throw new StatusError("BadRequest", `a container name must be specified for pod ${podName}`);
  if (more.length === 0) return only.name;
  throw new StatusError("BadRequest", `a container name must be specified for pod ${podName}, choose one of: [${all.join(" ")}]`);
}
