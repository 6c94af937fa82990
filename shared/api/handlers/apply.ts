import type { KubernetesObject } from "../../kubernetes/object.ts";
import { invalidStatus } from "../../kubernetes/schema/invalid.ts";
import { StatusError } from "../../kubernetes/status-error.ts";
import type { ManagedFieldsEntry } from "../../kubernetes/types.ts";
import { timestamp } from "../api-cluster.ts";
import type { Call } from "../cluster-api.ts";
import { bodyLimit, decodeObject, expectedOf, type FieldValidation, parseStrictly, type StrictProblems } from "../decode.ts";
import { applyManaged } from "../field-managers.ts";
import { negotiate } from "../negotiation.ts";
import { parseFieldValidation } from "../options.ts";
import type { UpdateSubresource } from "../registry.ts";
import { keyOf } from "../registry.ts";
import { isTrue } from "../request-info.ts";
import { type ApiResponse, conflict, notFound } from "../response.ts";
import { encoderFor, respond } from "./read.ts";
import { checkPlace, writeContext } from "./write.ts";

export const applyMediaType = "application/apply-patch+yaml";

/** `PATCH` with `application/apply-patch+yaml`: server-side apply, which creates what is not there. */
export async function applyOne(call: Call, subresource?: UpdateSubresource): Promise<ApiResponse> {
  const { definition, info, request, served, target, warnings } = call;
  const { registry, cluster } = served;
  const negotiated = negotiate(request.header("accept"), info.query);
  const validation = parseFieldValidation("PatchOptions", info.query);
  const manager = info.query.get("fieldManager") ?? "";
  if (manager === "") throw missingManager();
  const context = { ...writeContext(call, "PatchOptions"), fieldManager: manager };
  const force = isTrue(info.query.get("force"));
  const schema = registry.schemaOf(definition);
  const body = await request.body(bodyLimit);
  const { value, strictProblems } = parseStrictly(body, "application/yaml", definition.kind, validation);
  const read = (): KubernetesObject => {
    const seen = new Set(warnings);
    const config = decodeObject(structuredClone(value), { ...expectedOf(definition, schema), sparse: true }, validation, (text) => {
      if (!seen.has(text)) warnings.push(text);
    });
    checkPlace(config, definition.namespaced ? target.namespace : "", target.name);
    return config;
  };
  const write = { definition, schema, manager, subresource: subresource ?? "", timeIso: timestamp(cluster.clock.now()) };
  const result = (live: KubernetesObject | undefined): { object: KubernetesObject; managers: ManagedFieldsEntry[] } => {
    const config = read();
    checkVersion(config, live, definition, target.name);
    const { object, managers } = applyManaged(write, live, config, force);
    checkRepeated(strictProblems, validation, warnings);
    return { object: asObject(object), managers };
  };
  if (!(await registry.latest(keyOf(definition, target.namespace, target.name)))) {
    if (subresource !== undefined) throw notFound(definition.group, definition.resource, target.name);
    const { object, managers } = result(undefined);
    const created = await registry.create(definition, target.namespace, object, { ...context, managers });
    return respond(201, encoderFor(call, negotiated).object(created), negotiated);
  }
  const updated = await registry.update(definition, target.namespace, target.name, result, context, { subresource });
  return respond(200, encoderFor(call, negotiated).object(updated), negotiated);
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

const missingManager = (): StatusError =>
  invalidStatus("PatchOptions", "meta.k8s.io", "", [
    { reason: "FieldValueRequired", field: "fieldManager", message: "Required value: is required for apply patch" },
  ]);

function checkVersion(
  config: KubernetesObject,
  live: KubernetesObject | undefined,
  { group, resource }: { group: string; resource: string },
  name: string,
): void {
  const { resourceVersion = "", uid = "" } = config.metadata;
  if (uid !== "" && uid !== (live?.metadata.uid ?? "")) {
    throw conflict(group, resource, name, `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`);
  }
  if (resourceVersion !== "" && resourceVersion !== live?.metadata.resourceVersion) throw conflict(group, resource, name);
}
