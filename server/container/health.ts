import type { ApiRequest } from "../../shared/api/request-info.ts";
import { type ApiResponse, text } from "../../shared/api/response.ts";
import type { Clock } from "../../shared/clock.ts";

export interface HealthOptions {
  readonly clock: Clock;
  /** Resolves where the table answers. */
  readonly readTable: () => Promise<unknown>;
}

/** Asked by many, the table is asked no more often than this. */
const freshMs = 5000;
const patienceMs = 3000;

/**
 * What load balancers ask: `/healthz` and `/livez` whether this process runs, `/readyz` whether it should be sent requests: the table answers, and nobody has
 * told it to end.
 */
export function createHealth({ clock, readTable }: HealthOptions) {
  let ending = false;
  let last: { readonly atMs: number; readonly answers: Promise<boolean> } | undefined;

  const tableAnswers = (): Promise<boolean> => {
    if (last && clock.now() - last.atMs < freshMs) return last.answers;
    const answers = new Promise<boolean>((resolve) => {
      const cancel = clock.after(patienceMs, () => resolve(false));
      readTable()
        .then(
          () => resolve(true),
          () => resolve(false),
        )
        .finally(cancel);
    });
    last = { atMs: clock.now(), answers };
    return answers;
  };
  return {
    /** From now on it is not ready. */
    end(): void {
      ending = true;
    },
    /** `undefined`: the request asks for something else. */
    async answer({ method, url }: ApiRequest): Promise<ApiResponse | undefined> {
      if (method !== "GET" && method !== "HEAD") return undefined;
      const [path = ""] = url.split("?");
      if (path === "/healthz" || path === "/livez") return text(200, "ok");
      if (path !== "/readyz") return undefined;
      if (ending) return text(503, "not ready: this server ends\n");
      return (await tableAnswers()) ? text(200, "ok") : text(503, "not ready: the table does not answer\n");
    },
  };
}
