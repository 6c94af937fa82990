import { posix } from "node:path";
import type { ResourceDefinition } from "../kubernetes/resources.ts";
import { forbidden, notSupported } from "../kubernetes/schema/field-error.ts";
import { invalidStatus } from "../kubernetes/schema/invalid.ts";
import { type StatusCause, StatusError, UnexplainedError } from "../kubernetes/status-error.ts";
import { lowerBound } from "../store/lower-bound.ts";
import type { StoredObject } from "../store/store.ts";
import type { ApiCluster } from "./api-cluster.ts";
import { needsWebhook } from "./conversion/converted-objects.ts";
import { parseInt64 } from "./request-info.ts";
import { ExpiredListError } from "./response.ts";
import { namespaceOf, type Selection } from "./selection.ts";

export interface ListResult {
  readonly items: readonly StoredObject[];
  readonly revision: number;
  readonly continueToken: string | undefined;
  readonly remaining: number | undefined;
}

export interface ListOptions {
  readonly limit: number;
  readonly continueToken: string;
  readonly resourceVersion: string;
  readonly resourceVersionMatch: string;
}

/** How long a read waits for a resource version that this server has not seen yet (`blockTimeout` of the watch cache). */
const tooNewWaitMs = 3000;
/** A list may be read in pages for so long (kube-apiserver's `--etcd-compaction-interval`); then its revision counts as compacted. */
const pagesWithinMs = 5 * 60_000;

/** @throws StatusError `BadRequest`, `Invalid` */
export function parseListOptions(query: URLSearchParams): ListOptions {
  const limitText = query.get("limit");
  const limit = limitText === null ? 0 : parseInt64(limitText);
  const resourceVersion = query.get("resourceVersion") ?? "";
  const resourceVersionMatch = query.get("resourceVersionMatch") ?? "";
  const continueToken = query.get("continue") ?? "";
  const problems: StatusCause[] = [];
  if (resourceVersionMatch !== "") {
    if (resourceVersion === "") problems.push(forbidMatch("resourceVersionMatch is forbidden unless resourceVersion is provided"));
    if (continueToken !== "") problems.push(forbidMatch(matchWithContinue));
    if (resourceVersionMatch !== "Exact" && resourceVersionMatch !== "NotOlderThan")
      problems.push(notSupported("resourceVersionMatch", resourceVersionMatch, ["Exact", "NotOlderThan", ""]));
    if (resourceVersionMatch === "Exact" && resourceVersion === "0")
      problems.push(forbidMatch('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  }
  if (query.get("sendInitialEvents") !== null) problems.push(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  refuseProblems(problems);
  if (continueToken !== "" && resourceVersion !== "" && resourceVersion !== "0") {
    throw new StatusError("BadRequest", "specifying resource version is not allowed when using continue");
  }
  return { limit: Math.max(0, limit), continueToken, resourceVersion, resourceVersionMatch };
}

/**
 * What a watch may say beside its version. Streamed lists (KEP-3157) are served, as by a kube-apiserver whose feature gate WatchList is on;
 * what is no whole request for one is refused in the words of 1.33, which has it off.
 * @throws StatusError `Invalid`
 */
export function checkWatchOptions(query: URLSearchParams): void {
  const match = query.get("resourceVersionMatch") ?? "";
  const initial = query.get("sendInitialEvents") !== null;
  const problems: StatusCause[] = [];
  if (initial && match !== "NotOlderThan") {
    problems.push(forbidMatch("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
    const why = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
    problems.push(forbidden("sendInitialEvents", why));
  }
  if (match !== "") {
    if (!initial) problems.push(forbidMatch("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
    if (match !== "NotOlderThan") problems.push(notSupported("resourceVersionMatch", match, ["NotOlderThan"]));
    if ((query.get("continue") ?? "") !== "") problems.push(forbidMatch(matchWithContinue));
  }
  refuseProblems(problems);
}

const matchWithContinue = "resourceVersionMatch is forbidden when continue is provided";
const forbidMatch = (why: string): StatusCause => forbidden("resourceVersionMatch", why);

function refuseProblems(problems: readonly StatusCause[]): void {
  if (problems.length > 0) throw invalidStatus("ListOptions", "meta.k8s.io", "", problems);
}

/** Kubernetes' resource versions are whole numbers; only of a list is another one called the client's mistake. @throws StatusError */
export function parseResourceVersion(value: string, ofList = false): number {
  if (value === "") return 0;
  if (/^\d{1,20}$/.test(value)) return Number(value);
  const problem = `resourceVersion: Invalid value: ${JSON.stringify(value)}: strconv.ParseUint: parsing ${JSON.stringify(value)}: invalid syntax`;
  throw ofList ? new StatusError("BadRequest", `invalid resource version: ${problem}`) : new UnexplainedError(problem);
}

/**
 * A list by the rules of KEP-365 (chunks) and KEP-2523 (resourceVersionMatch). Consistent unless the client allows older.
 * @throws StatusError `Expired` when the revision is no longer in the history, `Timeout` when it lies too far ahead.
 */
export async function listObjects(
  cluster: ApiCluster,
  definition: ResourceDefinition,
  namespace: string,
  selection: Selection,
  options: ListOptions,
): Promise<ListResult> {
  const { mirror, clock } = cluster;
  const wanted = parseResourceVersion(options.resourceVersion, true);
  const token = options.continueToken === "" ? undefined : parseContinueToken(options.continueToken, clock.now());
  let exact: number | undefined;
  if (token) exact = token.revision < 0 ? undefined : token.revision;
  else if (options.resourceVersionMatch === "Exact" || (options.limit > 0 && wanted > 0 && options.resourceVersionMatch === ""))
    exact = wanted;
  if (token || exact !== undefined || wanted > 0) await reach(cluster, exact ?? wanted);
  if (options.resourceVersion === "" && exact === undefined) await catchUp(cluster);

  const within = namespaceOf(definition, namespace, selection);
  const resource = { group: definition.group, resource: definition.resource };
  const revision = exact ?? mirror.revision;
  const begunAtMs = token?.begunAtMs ?? clock.now();
  const tooLate = exact !== undefined && clock.now() - begunAtMs > pagesWithinMs;
  const candidates = exact === undefined ? direct(cluster, resource, within, selection) : mirror.listAt(resource, within, exact);
  if (!candidates || tooLate) throw expired(token && { ...token, revision: -1 });
  const limit = options.resourceVersion === "0" && !token ? 0 : options.limit;
  const converts = needsWebhook(definition);
  // Only the asked version has the fields that a selector speaks of; else what is on the page is converted.
  const known = converts && !selection.all ? await cluster.resources.converted.show(cluster, definition, candidates) : candidates;
  const whole = limit === 0 && !token && selection.all;
  const result = whole
    ? { items: candidates, revision, continueToken: undefined, remaining: undefined }
    : page(known, selection, { start: token?.start ?? "", revision, begunAtMs }, limit);
  if (result.continueToken !== undefined && revision === mirror.revision) mirror.keepList(resource, within);
  return converts ? { ...result, items: await cluster.resources.converted.show(cluster, definition, result.items) } : result;
}

function page(candidates: readonly StoredObject[], selection: Selection, from: ContinueToken, limit: number): ListResult {
  const { start, revision } = from;
  const items: StoredObject[] = [];
  for (let at = lowerBound(candidates, (stored) => sortKey(stored) < start); at < candidates.length; at++) {
    const stored = candidates[at];
    if (!stored) continue;
    // Whether what follows is selected too, the next page finds out.
    if (limit > 0 && items.length === limit) {
      // The continue token points just behind the last item, as etcd's range does.
      const last = items.at(-1);
      const remaining = selection.all ? candidates.length - at : undefined;
      return { items, revision, continueToken: encodeContinueToken({ ...from, start: last ? `${sortKey(last)}\u0000` : "" }), remaining };
    }
    if (selection.matches(stored)) items.push(stored);
  }
  return { items, revision, continueToken: undefined, remaining: undefined };
}

const sortKey = (stored: StoredObject): string => `${stored.key.namespace}/${stored.key.name}`;

/** The smallest set that can hold what the selection matches. */
function direct(
  cluster: ApiCluster,
  resource: { group: string; resource: string },
  namespace: string | undefined,
  selection: Selection,
): readonly StoredObject[] {
  const { mirror } = cluster;
  if (selection.name !== undefined && namespace !== undefined) {
    const found = mirror.get(resource, namespace, selection.name);
    return found ? [found] : [];
  }
  if (selection.nodeName !== undefined && selection.nodeName !== "") {
    const pods = mirror.podsOnNode(selection.nodeName).filter((pod) => namespace === undefined || pod.key.namespace === namespace);
    return [...pods].sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  }
  return mirror.list(resource, namespace);
}

/** Waits until the mirror shows what was written anywhere before now. */
export async function catchUp({ store, mirror, ref }: ApiCluster): Promise<void> {
  const { revision } = await store.head(ref);
  if (mirror.revision < revision) await mirror.reached(revision);
}

/** @throws StatusError `Timeout` "Too large resource version" */
export async function reach({ mirror, clock }: ApiCluster, revision: number): Promise<void> {
  if (mirror.revision >= revision) return;
  let cancel = (): void => {};
  const late = new Promise<"late">((resolve) => {
    cancel = clock.after(tooNewWaitMs, () => resolve("late"));
  });
  const outcome = await Promise.race([mirror.reached(revision), late]);
  cancel();
  if (outcome !== "late") return;
  throw new StatusError("Timeout", `Too large resource version: ${revision}, current: ${mirror.revision}`, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  });
}

interface ContinueToken {
  /** -1: whatever is the newest, because the list's own revision has expired. */
  readonly revision: number;
  readonly start: string;
  /** When the first page was read. */
  readonly begunAtMs: number;
}

const expired = (next: ContinueToken | undefined): StatusError =>
  next
    ? new ExpiredListError(encodeContinueToken(next))
    : new StatusError("Expired", "The resourceVersion for the provided list is too old.");

function encodeContinueToken({ revision, start, begunAtMs }: ContinueToken): string {
  const at = revision < 0 ? {} : { at: begunAtMs };
  return Buffer.from(JSON.stringify({ v: tokenVersion, rv: revision, start, ...at })).toString("base64url");
}

/** Times in a token are its client's word: at worst its own list is older. */
function parseContinueToken(token: string, nowMs: number): ContinueToken {
  const refuse = (why: string): StatusError => new StatusError("BadRequest", `invalid continue token: continue key is not valid: ${why}`);
  const illegal = illegalBase64At(token);
  if (illegal !== undefined) throw refuse(`illegal base64 data at input byte ${illegal}`);
  const bytes = Buffer.from(token, "base64url");
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch {
    const code = bytes[0] ?? 0;
    throw refuse(bytes.length === 0 ? "unexpected end of JSON input" : `invalid character ${quoted(code)} looking for beginning of value`);
  }
  const { v, rv, start = "", at } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (v !== tokenVersion) throw refuse(`server does not recognize this encoded version ${typeof v === "string" ? v : ""}`);
  if (typeof rv !== "number" || rv === 0) throw refuse(`incorrect encoded start resourceVersion (version ${tokenVersion})`);
  if (typeof start !== "string" || start === "") throw refuse(`encoded start key empty (version ${tokenVersion})`);
  if (posix.normalize(`/${start}`.replace(/^\/\//, "/")) !== `/${start}`.replace(/^\/\//, "/")) throw refuse(start);
  return { revision: rv, start, begunAtMs: typeof at === "number" ? at : nowMs };
}

const tokenVersion = "meta.k8s.io/v1";

/** Where Go's decoder of base64 without padding stops. */
function illegalBase64At(text: string): number | undefined {
  const at = text.search(/[^A-Za-z0-9_-]/);
  if (at >= 0) return at;
  return text.length % 4 === 1 ? text.length - 1 : undefined;
}

const quoted = (code: number): string =>
  code < 32
    ? `'\\x${code.toString(16).padStart(2, "0")}'`
    : code < 127
      ? `'${String.fromCharCode(code)}'`
      : `'\\u${code.toString(16).padStart(4, "0")}'`;
