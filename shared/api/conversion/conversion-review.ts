import { z } from "zod";
import { jsonSyntaxProblem } from "../../kubernetes/json-syntax.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import { goQuote, goTypeOf } from "../../kubernetes/schema/go-text.ts";
import { isJsonObject, type JsonObject } from "../../kubernetes/schema/schema-node.ts";
import { validateAnnotations, validateLabels } from "../../kubernetes/schema/validation/object-meta.ts";

const group = "apiextensions.k8s.io";
const reviewShape = z.looseObject({
  apiVersion: z.string().nullish(),
  kind: z.string().nullish(),
  response: z
    .looseObject({
      uid: z.string().nullish(),
      convertedObjects: z.array(z.unknown()).nullish(),
      result: z.looseObject({ status: z.string().nullish(), message: z.string().nullish() }).nullish(),
    })
    .nullish(),
});

/**
 * What a webhook answered; `failed`: no success; `invalid`: something else than what was asked for, both told after the name of what was
 * sent; `unreadable`: told alone.
 */
export type Conversion =
  | { readonly kind: "converted"; readonly objects: readonly KubernetesObject[] }
  | { readonly kind: "failed" | "invalid" | "unreadable"; readonly reason: string };

/** The ConversionReview that asks for `objects` (each as JSON) in the version `desired`. */
export function conversionReview(objects: readonly string[], desired: string, uid: string, version: string): Buffer {
  const head = JSON.stringify({ kind: "ConversionReview", apiVersion: `${group}/${version}` }).slice(0, -1);
  const request = JSON.stringify({ uid, desiredAPIVersion: desired }).slice(0, -1);
  // kube-apiserver sends an empty response with the request, and webhooks are known to fill it in.
  const response = JSON.stringify({ uid: "", convertedObjects: null, result: { metadata: {} } });
  return Buffer.from(`${head},"request":${request},"objects":[${objects.join(",")}]},"response":${response}}`);
}

/**
 * The objects of an answer, in the order of `originals`: their metadata is the originals', but for labels and annotations (apiextensions
 * `webhook_converter.go`, whose words these are).
 */
export function readConversion(
  body: Buffer,
  originals: readonly KubernetesObject[],
  desired: string,
  uid: string,
  version: string,
): Conversion {
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    return failed(`couldn't get version/kind; json parse error: ${jsonSyntaxProblem(body.toString("utf8"))}`);
  }
  const parsed = reviewShape.safeParse(value);
  if (!parsed.success) return failed(parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join(", "));
  const { response, apiVersion, kind } = parsed.data;
  const otherVersion = version === "v1" ? "v1beta1" : "v1";
  if (kind === "ConversionReview" && apiVersion === `${group}/${otherVersion}`)
    return failed(`converting (${otherVersion}.ConversionReview) to (${version}.ConversionReview): unknown conversion`);
  if (version === "v1" && (apiVersion !== `${group}/v1` || kind !== "ConversionReview")) {
    const got = `${apiVersion?.includes("/") ? apiVersion : `/${apiVersion ?? ""}`}, Kind=${kind ?? ""}`;
    return failed(`expected webhook response of ${group}/v1, Kind=ConversionReview, got ${got}`);
  }
  if (!response) return failed("no response provided");
  if (version === "v1" && response.uid !== uid) return failed(`expected response.uid=${goQuote(uid)}, got ${goQuote(response.uid ?? "")}`);
  const { status, message } = response.result ?? {};
  if (status !== "Success") return failed(message || `response.result.status was '${status ?? ""}', not 'Success'`);
  const converted = response.convertedObjects ?? [];
  if (converted.length !== originals.length)
    return { kind: "invalid", reason: `returned ${converted.length} objects, expected ${originals.length}` };
  const objects: KubernetesObject[] = [];
  const [only] = converted;
  if (originals.length === 1 && !hasKind(only)) return { kind: "unreadable", reason: kindMissing(only) };
  for (const [index, original] of originals.entries()) {
    const checked = checkConverted(original, converted[index], desired, originals.length === 1 ? undefined : index);
    if (typeof checked === "string") return { kind: "invalid", reason: checked };
    objects.push(checked);
  }
  return { kind: "converted", objects };
}

const failed = (reason: string): Conversion => ({ kind: "failed", reason });

/** The converted object with the original's metadata, or what is wrong with it. `index`: its place in a list. */
function checkConverted(original: KubernetesObject, given: unknown, desired: string, index: number | undefined): KubernetesObject | string {
  const inList = index === undefined ? "returned invalid object" : `returned invalid converted object at index ${index}`;
  const single = `${inList}${index === undefined ? " at index 0" : ""}`;
  if (!hasKind(given)) return `${inList}: ${kindMissing(given)}`;
  const { apiVersion, kind } = given;
  if (apiVersion !== desired)
    return `${single}: invalid groupVersion (expected ${desired}, received ${typeof apiVersion === "string" ? apiVersion : ""})`;
  if (kind !== original.kind) return `${single}: invalid kind (expected ${original.kind ?? ""}, received ${kind})`;
  const metadata: JsonObject = isJsonObject(given.metadata) ? given.metadata : {};
  for (const [field, name] of identity) {
    const [expected, actual] = [original.metadata[field] ?? "", metadata[field] ?? ""];
    if (expected !== actual) return `${inList}: must have the same ${name}: ${expected} != ${String(actual)}`;
  }
  const restored = restoreMetadata(original, given.metadata);
  if (typeof restored === "string")
    return `returned invalid metadata${index === undefined ? "" : ` in object at index ${index}`}: ${restored}`;
  const { kind: _kind, apiVersion: _version, metadata: _metadata, ...rest } = given;
  return { kind, apiVersion: desired, metadata: restored, ...rest };
}

const hasKind = (given: unknown): given is JsonObject & { readonly kind: string } =>
  isJsonObject(given) && typeof given.kind === "string" && given.kind !== "";
const kindMissing = (given: unknown): string => `Object 'Kind' is missing in '${JSON.stringify(given ?? null)}'`;

const identity = [
  ["name", "name"],
  ["namespace", "namespace"],
  ["uid", "UID"],
] as const;

/** The original's metadata with the labels and annotations of the answer (`restoreObjectMeta`). */
function restoreMetadata({ metadata: original }: KubernetesObject, given: unknown): KubernetesObject["metadata"] | string {
  if (given === undefined) return "missing metadata in converted object";
  if (!isJsonObject(given)) return `invalid metadata of type ${goTypeOf(given)} in converted object`;
  const restored = { ...original };
  for (const field of ["labels", "annotations"] as const) {
    const value = given[field];
    if (value === undefined || value === null) {
      delete restored[field];
      continue;
    }
    if (!isJsonObject(value)) return `invalid metadata.${field} of type ${goTypeOf(value)} in converted object`;
    const texts: Record<string, string> = {};
    for (const [key, text] of Object.entries(value)) {
      if (typeof text !== "string") return `metadata.${field}[${key}] must be a string, but is ${goTypeOf(text)} in converted object`;
      texts[key] = text;
    }
    const problem = isSame(original[field] ?? {}, texts) ? undefined : problemsOf(field, texts);
    if (problem !== undefined) return problem;
    restored[field] = texts;
  }
  return restored;
}

function problemsOf(field: "labels" | "annotations", texts: Readonly<Record<string, string>>): string | undefined {
  const causes = field === "labels" ? validateLabels(texts, "metadata.labels") : validateAnnotations(texts, "metadata.annotation");
  const problems = [...new Set(causes.map((cause) => `${cause.field ?? ""}: ${cause.message ?? ""}`))];
  if (problems.length === 0) return undefined;
  return problems.length === 1 ? problems[0] : `[${problems.join(", ")}]`;
}

function isSame(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(after);
  return keys.length === Object.keys(before).length && keys.every((key) => before[key] === after[key]);
}
