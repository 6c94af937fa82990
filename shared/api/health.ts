import { parseQuery } from "./request-info.ts";
import { type ApiResponse, text } from "./response.ts";

/** What a process that answers has: what it does without fails the request itself. */
const checks = ["ping", "log", "etcd"] as const;
const endpoints: Readonly<Record<string, readonly string[]>> = {
  healthz: checks,
  livez: checks,
  readyz: [...checks, "informer-sync", "shutdown"],
};

export const healthPaths: readonly string[] = Object.entries(endpoints).flatMap(([name, all]) => [
  `/${name}`,
  ...all.map((check) => `/${name}/${check}`),
]);

/** `/healthz`, `/livez`, `/readyz` and the checks below them (k8s.io/apiserver/pkg/server/healthz). `undefined`: the path is none of them. */
export function healthAnswer(path: string, url: string): ApiResponse | undefined {
  if (!"hlr".includes(path[1] ?? " ")) return undefined;
  const [, name = "", check = "", ...more] = path.split("/");
  const all = endpoints[name];
  if (!all || more.length > 0 || path.endsWith("/")) return undefined;
  if (check !== "") return all.includes(check) ? text(200, "ok") : undefined;
  const query = parseQuery(url);
  if (!query.has("verbose")) return text(200, "ok");
  const excluded = query.getAll("exclude");
  const lines = all.map((each) => (excluded.includes(each) ? `[+]${each} excluded: ok` : `[+]${each} ok`));
  const unknown = excluded.filter((each) => !all.includes(each)).map((each) => JSON.stringify(each));
  const warnings = unknown.length === 0 ? [] : [`warn: some health checks cannot be excluded: no matches for ${unknown.join(", ")}`];
  return text(200, `${[...lines, ...warnings, `${name} check passed`].join("\n")}\n`);
}
