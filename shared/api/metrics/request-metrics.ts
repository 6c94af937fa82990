import type { ResourceDefinition } from "../../kubernetes/resources.ts";
import type { Call } from "../cluster-api.ts";
import { type ApiResponse, isStream, isUpgrade, type StreamBody } from "../response.ts";

const verbs = ["GET", "LIST", "WATCH", "POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION", "CONNECT"] as const;
const scopes = ["cluster", "namespace", "resource"] as const;
const dryRuns = ["", "All"] as const;
/** Upper bounds of kube-apiserver's histogram of durations. */
export const bucketSeconds = [
  ...[0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60],
] as const;
/** Nobody fills the memory by making kinds: what comes after so many is not counted. */
const mostResources = 2_000;

/** What is counted of requests that are the same but for their objects. */
export interface Series {
  readonly codes: Map<number, number>;
  /** How many took at most so long, each bound by itself; the last are those beyond all. */
  readonly buckets: number[];
  sumMs: number;
  /** Streams and connections that are open. */
  open: number;
}

export interface LabelledSeries extends Series {
  readonly labels: Readonly<Record<"group" | "version" | "resource" | "subresource" | "scope" | "verb" | "dry_run", string>>;
}

interface Counted {
  readonly of: Pick<ResourceDefinition, "group" | "version" | "resource">;
  /** By subresource, then by verb, scope and dry run. */
  readonly series: Map<string, (Series | undefined)[]>;
}

const connecting: ReadonlySet<string> = new Set(["exec", "attach", "portforward", "proxy"]);
const verbIndex = { get: 0, list: 1, watch: 2, create: 3, update: 4, patch: 5, delete: 7, deletecollection: 8 } as const;
const applyIndex = 6;
const connectIndex = 9;

/** Requests of one cluster, as this process has answered them. Counting is adding up: texts are made when somebody reads. */
export class RequestMetrics {
  readonly inFlight = { mutating: 0, readOnly: 0 };
  readonly #nowMs: () => number;
  readonly #byDefinition = new WeakMap<ResourceDefinition, Counted>();
  /** Definitions of custom resources come and go; what is counted of a resource stays. */
  readonly #byName = new Map<string, Counted>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** `codeOf`: what a failure is answered with. */
  async observe(call: Call, work: () => Promise<ApiResponse>, codeOf: (error: unknown) => number): Promise<ApiResponse> {
    const series = this.#seriesOf(call);
    if (!series) return work();
    const kind = call.request.method === "GET" || call.request.method === "HEAD" ? "readOnly" : "mutating";
    const began = this.#nowMs();
    this.inFlight[kind]++;
    try {
      const answer = await work();
      const { body } = answer;
      if (isStream(body)) return { ...answer, body: this.#held(series, answer.status, began, body) };
      if (isUpgrade(body)) {
        const close = this.#open(series, answer.status, began);
        return { ...answer, body: { take: (connection) => body.take(connection.once("close", close)) } };
      }
      this.#done(series, answer.status, began);
      return answer;
    } catch (error) {
      this.#done(series, codeOf(error), began);
      throw error;
    } finally {
      this.inFlight[kind]--;
    }
  }

  all(): LabelledSeries[] {
    return [...this.#byName.values()].flatMap(({ of: { group, version, resource }, series }) =>
      [...series].flatMap(([subresource, slots]) =>
        slots.flatMap((one, slot) => {
          if (!one) return [];
          const [verb = "", scope = ""] = [verbs[Math.floor(slot / 6)], scopes[Math.floor(slot / 2) % 3]];
          const labels = { group, version, resource, subresource, scope, verb, dry_run: dryRuns[slot % 2] ?? "" };
          return [{ ...one, labels }];
        }),
      ),
    );
  }

  #seriesOf({ definition, target, request, info: { query } }: Call): Series | undefined {
    const counted = this.#byDefinition.get(definition) ?? this.#hold(definition);
    const { subresource, name, namespace, verb } = target;
    let slots = counted?.series.get(subresource);
    if (!slots) {
      if (!counted || (subresource !== "" && !definition.subresources.some((one) => one.name === subresource))) return undefined;
      slots = [];
      counted.series.set(subresource, slots);
    }
    let index: number = verbIndex[verb];
    if (verb === "patch" && request.header("content-type")?.startsWith("application/apply-patch")) index = applyIndex;
    else if (subresource !== "" && connecting.has(subresource)) index = connectIndex;
    const scope = name !== "" || verb === "create" ? 2 : namespace !== "" ? 1 : 0;
    const slot = (index * 3 + scope) * 2 + (query.size > 0 && query.has("dryRun") ? 1 : 0);
    const known = slots[slot];
    if (known) return known;
    const made: Series = { codes: new Map(), buckets: new Array(bucketSeconds.length + 1).fill(0), sumMs: 0, open: 0 };
    slots[slot] = made;
    return made;
  }

  #hold(definition: ResourceDefinition): Counted | undefined {
    const { group, version, resource } = definition;
    const name = `${group}/${version}/${resource}`;
    const counted = this.#byName.get(name) ?? { of: { group, version, resource }, series: new Map() };
    if (this.#byName.size >= mostResources && !this.#byName.has(name)) return undefined;
    this.#byName.set(name, counted);
    this.#byDefinition.set(definition, counted);
    return counted;
  }

  #done(series: Series, code: number, beganMs: number): void {
    series.codes.set(code, (series.codes.get(code) ?? 0) + 1);
    const tookMs = this.#nowMs() - beganMs;
    series.sumMs += tookMs;
    let bucket = 0;
    while (bucket < bucketSeconds.length && tookMs > (bucketSeconds[bucket] ?? 0) * 1000) bucket++;
    series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1;
  }

  #open(series: Series, code: number, beganMs: number): () => void {
    let open = true;
    series.open++;
    return () => {
      if (!open) return;
      open = false;
      series.open--;
      this.#done(series, code, beganMs);
    };
  }

  #held(series: Series, code: number, beganMs: number, body: StreamBody): StreamBody {
    return {
      start: (sink) => {
        const close = this.#open(series, code, beganMs);
        const stop = body.start(sink);
        return () => {
          close();
          stop();
        };
      },
    };
  }
}
