import { cloneJson } from "../../kubernetes/clone.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import { apiVersionOf, type ResourceDefinition } from "../../kubernetes/resources.ts";
import { jsonTypeOf } from "../../kubernetes/schema/go-text.ts";
import { invalidStatus } from "../../kubernetes/schema/invalid.ts";
import { isJsonObject, type JsonObject } from "../../kubernetes/schema/schema-node.ts";
import { StatusError } from "../../kubernetes/status-error.ts";
import { timestamp } from "../api-cluster.ts";
import type { Call } from "../cluster-api.ts";
import { needsWebhook } from "../conversion/converted-objects.ts";
import { viewsForManagers } from "../conversion/manager-views.ts";
import { decodeObject, expectedOf } from "../decode.ts";
import { applyManaged, type ManagerViews } from "../field-managers.ts";
import { negotiate } from "../negotiation.ts";
import { parseFieldValidation } from "../options.ts";
import { bodyLimit, type FieldValidation, type ParsedBody, parseStrictly, type StrictProblems } from "../parse-body.ts";
import { ManagedObject, type UpdateSubresource } from "../registry.ts";
import { isTrue } from "../request-info.ts";
import { type ApiResponse, conflict } from "../response.ts";
import { answer, checkVersion as checkGiven, checkPlace, updateOrCreate, writeContext } from "./write.ts";

export const applyMediaType = "application/apply-patch+yaml";

/** `PATCH` with `application/apply-patch+yaml`: server-side apply, which creates what is not there. */
export async function applyOne(call: Call, subresource?: UpdateSubresource): Promise<ApiResponse> {
  const { definition, info, request, served, target, warnings } = call;
  const { registry, cluster } = served;
  const negotiated = negotiate(call);
  const validation = parseFieldValidation("PatchOptions", info.query);
  const manager = applierOf(info.query);
  const context = { ...writeContext(call, "PatchOptions"), fieldManager: manager };
  const force = isTrue(info.query.get("force"));
  const schema = registry.schemaOf(definition);
  const body = await request.body(bodyLimit);
  const { value, strictProblems } = parseConfiguration(body, { kind: definition.kind, apiVersion: apiVersionOf(definition) }, validation);
  const read = (): KubernetesObject => {
    refuseManagedFields(value);
    return decodeObject(cloneJson(value), { ...expectedOf(definition, schema), sparse: true }, validation, context.warn);
  };
  const write = { definition, schema, manager, subresource: subresource ?? "", timeIso: timestamp(cluster.clock.now()) };
  const result = (live: KubernetesObject | undefined, views?: ManagerViews): ManagedObject => {
    const config = read();
    checkVersion(config, live, definition, target.name);
    const { object, managers } = applyManaged(write, live, config, force, views);
    checkRepeated(strictProblems, validation, warnings);
    const next = asObject(object);
    next.metadata = { ...next.metadata };
    checkPlace(next, definition.namespaced ? target.namespace : "", target.name);
    return new ManagedObject(next, managers);
  };
  /** What is merged tells what there is to convert; what that shows to others tells what remains theirs. */
  const converting = async (live: KubernetesObject): Promise<ManagedObject> => {
    const merged = result(live);
    const views = await viewsForManagers(cluster, definition, live, merged.object);
    return views ? result(live, views) : merged;
  };
  const change = needsWebhook(definition) ? converting : (live: KubernetesObject) => result(live);
  const update = () => registry.update(definition, target.namespace, target.name, change, context, { subresource });
  if (subresource !== undefined) return answer(call, negotiated, 200, await update());
  const create = () => {
    const { object, managers } = result(undefined);
    return registry.create(definition, target.namespace, object, { ...context, managers });
  };
  const { status, stored } = await updateOrCreate(call, update, create);
  return answer(call, negotiated, status, stored);
}

/** The body as the configuration of an object of the kind that is applied to. @throws StatusError `BadRequest` */
export function parseConfiguration(
  body: Buffer,
  expected: { readonly kind: string; readonly apiVersion: string },
  validation: FieldValidation,
): ParsedBody & { value: JsonObject } {
  let parsed: ParsedBody;
  try {
    parsed = parseStrictly(body, "application/yaml", expected.kind, validation);
  } catch (error) {
    if (error instanceof StatusError && error.message.startsWith("error converting YAML"))
      throw new StatusError("BadRequest", `error decoding YAML: ${error.message}`);
    throw error;
  }
  const value = parsed.value ?? {};
  if (!isJsonObject(value)) {
    throw new StatusError(
      "BadRequest",
      `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${jsonTypeOf(value)} into Go value of type map[string]interface {}`,
    );
  }
  if (value.kind !== expected.kind || value.apiVersion !== expected.apiVersion) {
    const { apiVersion, kind } = value;
    throw new StatusError("BadRequest", `invalid object type: ${versionText(apiVersion)}, Kind=${typeof kind === "string" ? kind : ""}`);
  }
  return { ...parsed, value };
}

/** A `GroupVersion` as a message names it: `/v1`, `apps/v1`, `/` for none. */
const versionText = (apiVersion: unknown): string =>
  typeof apiVersion !== "string" || apiVersion === "" ? "/" : apiVersion.includes("/") ? apiVersion : `/${apiVersion}`;

/** Managed fields are the server's to write. @throws StatusError `BadRequest` */
export function refuseManagedFields(config: JsonObject): void {
  const metadata = isJsonObject(config.metadata) ? config.metadata : {};
  if (metadata.managedFields !== undefined && metadata.managedFields !== null)
    throw new StatusError("BadRequest", "metadata.managedFields must be nil");
}

/** Keys that stand twice in the configuration: told of after everything that the apply itself may be refused for. */
function checkRepeated(strictProblems: StrictProblems | undefined, validation: FieldValidation, warnings: string[]): void {
  if (!strictProblems || validation === "Ignore") return;
  const problem = `error converting YAML to JSON: ${strictProblems([]).join(", ")}`;
  if (validation === "Strict") throw new StatusError("BadRequest", `error strict decoding YAML: ${problem}`);
  if (!warnings.includes(problem)) warnings.push(problem);
}

/** An applied object has the metadata of the configuration at least. */
const asObject = (object: Readonly<Record<string, unknown>>): KubernetesObject => ({ metadata: {}, ...object }) as KubernetesObject;

/** The manager that an apply must name. @throws StatusError `Invalid` */
export function applierOf(query: URLSearchParams): string {
  const manager = query.get("fieldManager") ?? "";
  if (manager === "") throw missingManager();
  return manager;
}

const missingManager = (): StatusError =>
  invalidStatus("PatchOptions", "meta.k8s.io", "", [
    { reason: "FieldValueRequired", field: "fieldManager", message: "Required value: is required for apply patch" },
  ]);

function checkVersion(config: KubernetesObject, live: KubernetesObject | undefined, definition: ResourceDefinition, name: string): void {
  const { uid = "" } = config.metadata;
  if (live === undefined) {
    if (uid === "") return;
    throw conflict(
      definition.group,
      definition.resource,
      name,
      `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
    );
  }
  checkGiven(definition, config, live);
}
