import type { KubernetesObject } from "../../kubernetes/object.ts";
import { type ResourceDefinition, storedAs } from "../../kubernetes/resources.ts";
import { scaleOf, withReplicas } from "../../kubernetes/scale.ts";
import { invalid } from "../../kubernetes/schema/field-error.ts";
import { invalidStatus } from "../../kubernetes/schema/invalid.ts";
import { kindSchema } from "../../kubernetes/schema/kind-schema.ts";
import type { JsonObject } from "../../kubernetes/schema/schema-node.ts";
import type { StatusError } from "../../kubernetes/status-error.ts";
import type { Scale } from "../../kubernetes/types.ts";
import { timestamp } from "../api-cluster.ts";
import type { Call } from "../cluster-api.ts";
import { checkTyped, type Expected } from "../decode.ts";
import { decodePatched } from "../decode-patched.ts";
import { applyScale, type ManagedWrite, managersAfterScale } from "../field-managers.ts";
import { type Negotiated, negotiate } from "../negotiation.ts";
import { parseFieldValidation, refuseForce } from "../options.ts";
import { bodyLimit } from "../parse-body.ts";
import { applyPatch, parsePatch } from "../patch.ts";
import { ManagedObject, type WriteContext } from "../registry.ts";
import { respondWith } from "../rendering.ts";
import { isTrue } from "../request-info.ts";
import { type ApiResponse, conflict, methodNotAllowed } from "../response.ts";
import { applierOf, applyMediaType, parseConfiguration, refuseManagedFields } from "./apply.ts";
import { decodeBody } from "./decode-body.ts";
import { findLive } from "./read.ts";
import { checkPlace, checkVersion, nameMissing, showWritten, writeContext } from "./write.ts";

const scaleKind = { kind: "Scale", apiVersion: "autoscaling/v1" } as const;
const expectedScale = (): Expected => ({ ...scaleKind, schema: kindSchema("autoscaling", "v1", "Scale") });

/** The subresource `scale` of what is kept as `stored`. */
export async function handleScale(call: Call): Promise<ApiResponse> {
  const { definition, request } = call;
  const negotiated = negotiate(call);
  const stored = storedAs(definition);
  switch (request.method) {
    case "GET":
    case "HEAD":
      return respondWith(200, scaleOf(stored, (await findLive(call)).object), negotiated);
    case "PUT":
      return replaceScale(call, stored, negotiated);
    case "PATCH":
      return request.header("content-type")?.startsWith(applyMediaType)
        ? applyToScale(call, stored, negotiated)
        : patchScale(call, stored, negotiated);
    default:
      throw methodNotAllowed();
  }
}

async function replaceScale(call: Call, stored: ResourceDefinition, negotiated: Negotiated): Promise<ApiResponse> {
  const { target } = call;
  const context = writeContext(call, "UpdateOptions");
  const given = (await decodeBody(call, "UpdateOptions", expectedScale())) as Scale;
  if ((given.metadata?.name ?? "") === "") throw nameMissing(target.name);
  checkPlace(given, target.namespace, target.name);
  return writeScale(call, stored, negotiated, context, (live) => rescaled(call, stored, live, given, context.fieldManager));
}

async function patchScale(call: Call, stored: ResourceDefinition, negotiated: Negotiated): Promise<ApiResponse> {
  const { request, info } = call;
  const context = writeContext(call, "PatchOptions");
  refuseForce(info.query);
  const validation = parseFieldValidation("PatchOptions", info.query);
  const patch = parsePatch(await request.body(bodyLimit), request.header("content-type"), "Scale", true);
  const expected = expectedScale();
  return writeScale(call, stored, negotiated, context, (live) => {
    const patched = applyPatch(scaleOf(stored, live), patch, expected.schema);
    const scale = decodePatched(patched, patch, expected, validation, context.warn) as Scale;
    return rescaled(call, stored, live, scale, context.fieldManager);
  });
}

/** The object as `scale` wants it. */
function rescaled(call: Call, stored: ResourceDefinition, live: KubernetesObject, scale: Scale, manager: string): ManagedObject {
  const { definition, target } = call;
  const { resourceVersion = "" } = scale.metadata ?? {};
  if (resourceVersion !== "" && resourceVersion !== live.metadata.resourceVersion)
    throw conflict(definition.group, definition.resource, target.name);
  const replicas = scale.spec?.replicas ?? 0;
  if (replicas < 0 && !definition.custom) throw negativeScale(target.name, replicas);
  const object = withReplicas(stored, live, replicas);
  const write = scaleWrite(call, stored, manager);
  return new ManagedObject(object, managersAfterScale(write, live, scaleOf(stored, live), scaleOf(stored, object)));
}

/** Server-side apply of the Scale of an object that exists. */
async function applyToScale(call: Call, stored: ResourceDefinition, negotiated: Negotiated): Promise<ApiResponse> {
  const { definition, request, target, info } = call;
  const fieldManager = applierOf(info.query);
  const context = { ...writeContext(call, "PatchOptions"), fieldManager };
  const { value } = parseConfiguration(await request.body(bodyLimit), scaleKind, parseFieldValidation("PatchOptions", info.query));
  const write = scaleWrite(call, stored, fieldManager);
  const { schema } = expectedScale();
  return writeScale(call, stored, negotiated, context, (live) => {
    refuseManagedFields(value);
    if (schema) checkTyped(schema, value, scaleKind.apiVersion);
    const config = { ...value, metadata: value.metadata ?? {} } as KubernetesObject & JsonObject;
    const { replicas, managers } = applyScale(write, live, scaleOf(stored, live), config, isTrue(info.query.get("force")));
    checkPlace(config, target.namespace, target.name);
    checkVersion(definition, config, live);
    if (replicas < 0) throw negativeScale(target.name, replicas);
    return new ManagedObject(withReplicas(stored, live, replicas), managers);
  });
}

async function writeScale(
  call: Call,
  stored: ResourceDefinition,
  negotiated: Negotiated,
  context: WriteContext,
  change: (live: KubernetesObject) => ManagedObject,
): Promise<ApiResponse> {
  const { definition, target, served } = call;
  const changed = await served.registry.update(definition, target.namespace, target.name, change, context, { subresource: "scale" });
  return respondWith(200, scaleOf(stored, (await showWritten(call, changed)).object), negotiated);
}

const scaleWrite = ({ served }: Call, definition: ResourceDefinition, manager: string): ManagedWrite => ({
  ...{ definition, schema: undefined, manager, subresource: "scale" },
  timeIso: timestamp(served.cluster.clock.now()),
});

const negativeScale = (name: string, replicas: number): StatusError =>
  invalidStatus("Scale", "autoscaling", name, [invalid("spec.replicas", replicas, "must be greater than or equal to 0")]);
