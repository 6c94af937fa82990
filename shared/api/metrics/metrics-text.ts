import { builtinResources } from "../../kubernetes/resources.ts";
import type { ApiCluster } from "../api-cluster.ts";
import { version } from "../non-resource.ts";
import type { ApiResponse } from "../response.ts";
import { bucketSeconds, type LabelledSeries, type RequestMetrics } from "./request-metrics.ts";

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number, suffix?: string];

/** `GET /metrics`: in Prometheus' text format, by the names, labels and words of kube-apiserver 1.33, what is counted here too. */
export function metricsAnswer(cluster: ApiCluster, requests: RequestMetrics): ApiResponse {
  const series = requests.all().sort((a, b) => (textOf(a.labels) < textOf(b.labels) ? -1 : 1));
  const families = [
    family(
      ...["apiserver_current_inflight_requests", "gauge"],
      ...["[STABLE] Maximal number of currently used inflight request limit of this apiserver per request kind in last second."],
      Object.entries(requests.inFlight).map(([kind, value]): Sample => [{ request_kind: kind }, value]),
    ),
    family(
      "apiserver_longrunning_requests",
      "gauge",
      "[STABLE] Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component. Not all requests are tracked this way.",
      series
        .filter(({ open }) => open > 0)
        .map(({ labels: { dry_run: _, ...labels }, open }): Sample => [{ ...component, ...labels }, open]),
    ),
    family(
      "apiserver_request_duration_seconds",
      "histogram",
      "[STABLE] Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.",
      series.filter(({ codes }) => codes.size > 0).flatMap(durations),
    ),
    family(
      "apiserver_request_total",
      "counter",
      "[STABLE] Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.",
      series.flatMap(({ labels, codes }) =>
        [...codes].map(([code, count]): Sample => [{ code: String(code), ...component, ...labels }, count]),
      ),
    ),
    family(
      "apiserver_storage_objects",
      "gauge",
      "[STABLE] Number of stored objects at the time of last check split by kind. In case of a fetching error, the value will be -1.",
      storedObjects(cluster),
    ),
    family(
      "kubernetes_build_info",
      "gauge",
      "[ALPHA] A metric with a constant '1' value labeled by major, minor, git version, git commit, git tree state, build date, Go version, and compiler from which Kubernetes was built, and platform on which it is running.",
      [[buildInfo, 1]],
    ),
  ];
  const headers = {
    "content-type": "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
    "cache-control": "no-cache, private",
  };
  return { status: 200, headers, body: Buffer.from(families.join("")) };
}

const component = { component: "apiserver" };
const buildInfo = {
  build_date: version.buildDate,
  compiler: version.compiler,
  git_commit: version.gitCommit,
  git_tree_state: version.gitTreeState,
  git_version: version.gitVersion,
  go_version: version.goVersion,
  major: version.major,
  minor: version.minor,
  platform: version.platform,
};

function durations({ labels, buckets, sumMs }: LabelledSeries): Sample[] {
  const all = { ...component, ...labels };
  let count = 0;
  const bounded = buckets.map((own, index): Sample => {
    count += own;
    return [{ ...all, le: String(bucketSeconds[index] ?? "+Inf") }, count, "_bucket"];
  });
  return [...bounded, [all, sumMs / 1000, "_sum"], [all, count, "_count"]];
}

function storedObjects({ mirror, resources }: ApiCluster): Sample[] {
  const stored = [...builtinResources(), ...resources.custom].filter(
    (one) => one.verbs.has("list") && one.version === one.storageVersion && one.collection.endsWith(one.resource),
  );
  const counts = new Map(stored.map((one) => [one.group === "" ? one.resource : `${one.resource}.${one.group}`, mirror.count(one)]));
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([resource, count]): Sample => [{ resource }, count]);
}

function family(name: string, type: string, help: string, samples: readonly Sample[]): string {
  if (samples.length === 0) return "";
  const lines = samples.map(([labels, value, suffix = ""]) => `${name}${suffix}{${textOf(labels)}} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

/** By name, but for the bound of a bucket, which stands last. */
const textOf = (labels: Labels): string =>
  Object.entries(labels)
    .sort(([a], [b]) => (a === "le" ? 1 : b === "le" ? -1 : a < b ? -1 : 1))
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (char) => (char === "\n" ? "\\n" : `\\${char}`))}"`)
    .join(",");
