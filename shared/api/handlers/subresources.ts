import type { KubernetesObject } from "../../kubernetes/object.ts";
import { type ResourceDefinition, storedAs } from "../../kubernetes/resources.ts";
import { scaleOf, withReplicas } from "../../kubernetes/scale.ts";
import { together } from "../../kubernetes/schema/invalid.ts";
import { kindSchema } from "../../kubernetes/schema/kind-schema.ts";
import type { JsonObject } from "../../kubernetes/schema/schema-node.ts";
import { StatusError, UnexplainedError } from "../../kubernetes/status-error.ts";
import type { Binding as BindingObject, Pod, Scale } from "../../kubernetes/types.ts";
import { admitRequest } from "../admission.ts";
import { timestamp } from "../api-cluster.ts";
import { bindPods } from "../binding.ts";
import type { Call } from "../cluster-api.ts";
import { bodyLimit, checkTyped, decodeObject, parseBody } from "../decode.ts";
import { evictPod } from "../eviction.ts";
import { applyScale, type ManagedWrite, managersAfterScale } from "../field-managers.ts";
import { type Negotiated, negotiate } from "../negotiation.ts";
import { parseFieldValidation, refuseForce } from "../options.ts";
import { applyPatch, parsePatch } from "../patch.ts";
import { uidMismatch, versionMismatch } from "../preconditions.ts";
import { ManagedObject, type UpdateSubresource } from "../registry.ts";
import { respond, respondWith } from "../rendering.ts";
import { isTrue } from "../request-info.ts";
import { type ApiResponse, conflict, methodNotAllowed, noSuchResource, notFound } from "../response.ts";
import { applierOf, applyMediaType, parseConfiguration, refuseManagedFields } from "./apply.ts";
import { streamToPod } from "./connect/pod-streams.ts";
import { proxyTo } from "./connect/proxy.ts";
import { readPodLog } from "./pod-log.ts";
import { encoderFor, findLive } from "./read.ts";
import { requestToken } from "./tokens.ts";
import { checkPlace, checkVersion, nameMissing, patchOne, showWritten, updateOne, writeContext } from "./write.ts";

const plainUpdates: Readonly<Record<string, UpdateSubresource>> = {
  status: "status",
  finalize: "finalize",
  approval: "approval",
  resize: "resize",
  ephemeralcontainers: "ephemeralcontainers",
};

export async function handleSubresource(call: Call): Promise<ApiResponse> {
  const { definition, target, request } = call;
  const subresource = definition.subresources.find(({ name }) => name === target.subresource);
  if (!subresource && definition.custom) throw notFound(definition.group, definition.resource, target.name);
  if (!subresource || target.name === "") throw noSuchResource();
  const { method } = request;
  const full = `${definition.resource}/${target.subresource}`;
  if (full === "pods/log" && method === "GET") return readPodLog(call);
  if (full === "pods/binding" && method === "POST") return bindOne(call);
  if (full === "pods/eviction" && method === "POST") return evictPod(call);
  if (full === "serviceaccounts/token" && method === "POST") return requestToken(call);
  if (target.subresource === "scale") return handleScale(call);
  if (full === "pods/exec" || full === "pods/attach" || full === "pods/portforward") return streamToPod(call);
  if (target.subresource === "proxy" && definition.group === "") return proxyTo(call);
  const update = plainUpdates[target.subresource];
  if (update === undefined) throw methodNotAllowed();
  if (method === "PUT") return updateOne(call, update);
  if (method === "PATCH" && target.subresource !== "finalize") return patchOne(call, update);
  if (method !== "GET" && method !== "HEAD") throw methodNotAllowed();
  const negotiated = negotiate(call);
  return respond(200, encoderFor(call, negotiated).object(await findLive(call)), negotiated);
}

const scaleKind = { kind: "Scale", apiVersion: "autoscaling/v1" } as const;

async function handleScale(call: Call): Promise<ApiResponse> {
  const { definition, served, request, target } = call;
  const negotiated = negotiate(call);
  const stored = storedAs(definition);
  if (request.method === "GET" || request.method === "HEAD")
    return respondWith(200, scaleOf(stored, (await findLive(call)).object), negotiated);
  if (request.method !== "PUT" && request.method !== "PATCH") throw methodNotAllowed();
  if (request.method === "PATCH" && request.header("content-type")?.startsWith(applyMediaType))
    return applyToScale(call, stored, negotiated);
  const body = await request.body(bodyLimit);
  const context = writeContext(call, request.method === "PUT" ? "UpdateOptions" : "PatchOptions");
  if (request.method === "PATCH") refuseForce(call.info.query);
  const expected = { ...scaleKind, schema: kindSchema("autoscaling", "v1", "Scale") };
  const decode = (value: unknown): Scale => decodeObject(value, expected, "Warn", context.warn) as Scale;
  const given = request.method === "PUT" ? decode(parseBody(body, request.header("content-type"), "Scale")) : undefined;
  if (given) {
    if ((given.metadata?.name ?? "") === "") throw nameMissing(target.name);
    checkPlace(given, target.namespace, target.name);
  }
  const patch = given ? undefined : parsePatch(body, request.header("content-type"), "Scale", true);
  const changed = await served.registry.update(
    definition,
    target.namespace,
    target.name,
    (live) => {
      const scale = patch ? decode(applyPatch(scaleOf(stored, live), patch, expected.schema)) : given;
      const { resourceVersion = "" } = scale?.metadata ?? {};
      if (resourceVersion !== "" && resourceVersion !== live.metadata.resourceVersion)
        throw conflict(definition.group, definition.resource, target.name);
      const replicas = scale?.spec?.replicas ?? 0;
      if (replicas < 0 && !definition.custom) throw negativeScale(target.name, replicas);
      const object = withReplicas(stored, live, replicas);
      const write = scaleWrite(call, stored, context.fieldManager);
      return new ManagedObject(object, managersAfterScale(write, live, scaleOf(stored, live), scaleOf(stored, object)));
    },
    context,
    { subresource: "scale" },
  );
  return respondWith(200, scaleOf(stored, (await showWritten(call, changed)).object), negotiated);
}

const scaleWrite = ({ served }: Call, definition: ResourceDefinition, manager: string): ManagedWrite => ({
  ...{ definition, schema: undefined, manager, subresource: "scale" },
  timeIso: timestamp(served.cluster.clock.now()),
});

/** Server-side apply of the Scale of an object that exists. */
async function applyToScale(call: Call, stored: ResourceDefinition, negotiated: Negotiated): Promise<ApiResponse> {
  const { definition, served, request, target, info } = call;
  const fieldManager = applierOf(info.query);
  const context = { ...writeContext(call, "PatchOptions"), fieldManager };
  const { value } = parseConfiguration(await request.body(bodyLimit), scaleKind, parseFieldValidation("PatchOptions", info.query));
  const write = scaleWrite(call, stored, fieldManager);
  const schema = kindSchema("autoscaling", "v1", "Scale");
  const change = (live: KubernetesObject): ManagedObject => {
    refuseManagedFields(value);
    if (schema) checkTyped(schema, value, scaleKind.apiVersion);
    const config = { ...value, metadata: value.metadata ?? {} } as KubernetesObject & JsonObject;
    const { replicas, managers } = applyScale(write, live, scaleOf(stored, live), config, isTrue(info.query.get("force")));
    checkPlace(config, target.namespace, target.name);
    checkVersion(definition, config, live);
    if (replicas < 0) throw negativeScale(target.name, replicas);
    return new ManagedObject(withReplicas(stored, live, replicas), managers);
  };
  const changed = await served.registry.update(definition, target.namespace, target.name, change, context, { subresource: "scale" });
  return respondWith(200, scaleOf(stored, (await showWritten(call, changed)).object), negotiated);
}

function negativeScale(name: string, replicas: number): StatusError {
  const message = `Invalid value: ${replicas}: must be greater than or equal to 0`;
  return new StatusError("Invalid", `Scale.autoscaling ${JSON.stringify(name)} is invalid: spec.replicas: ${message}`, {
    name,
    group: "autoscaling",
    kind: "Scale",
    causes: [{ reason: "FieldValueInvalid", message, field: "spec.replicas" }],
  });
}

const success = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 } as const;

/** `pods/binding`, and `bindings` with the pod's name in the body. */
export async function bindOne(call: Call): Promise<ApiResponse> {
  const { served, request, target, definition } = call;
  const negotiated = negotiate(call);
  const context = writeContext(call, "CreateOptions");
  const expected = { kind: "Binding", apiVersion: "v1", schema: kindSchema("", "v1", "Binding") };
  const binding = decodeObject(
    parseBody(await request.body(bodyLimit), request.header("content-type"), "Binding"),
    expected,
    "Warn",
    context.warn,
  ) as BindingObject;
  checkPlace(binding, target.namespace, "");
  if (target.name !== "" && target.name !== binding.metadata.name)
    throw new StatusError("BadRequest", "name in URL does not match name in Binding object");
  const name = binding.metadata.name ?? "";
  const causes = expected.schema?.validateCreate({ ...binding }) ?? [];
  // The rules of bindings answer with their problems as they are, not with a 422.
  if (causes.length > 0) throw new UnexplainedError(together(causes));
  await admitRequest(served.cluster, {
    ...{ served: definition, definition, schema: expected.schema, namespace: target.namespace, name, context },
    ...{ subresource: target.subresource, operation: "CREATE", object: binding },
  });
  const nodeName = binding.target.name ?? "";
  const found = await served.registry.latest({ group: "", resource: "pods", namespace: target.namespace, name });
  if (!found) throw notFound("", "pods", name);
  const pod = found.object as Pod;
  const refuse = (why: string): StatusError => conflict("", "pods/binding", name, why);
  const { uid: expectedUid = "", resourceVersion = "", annotations } = binding.metadata;
  if (expectedUid !== "" && expectedUid !== pod.metadata.uid) throw uidMismatch(definition, found.key, expectedUid, pod.metadata.uid);
  if (resourceVersion !== "" && resourceVersion !== String(found.revision))
    throw versionMismatch(definition, found.key, resourceVersion, String(found.revision));
  if (pod.metadata.deletionTimestamp !== undefined) throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
  const assigned = pod.spec?.nodeName ?? "";
  if (assigned !== "") throw refuse(`pod ${name} is already assigned to node ${JSON.stringify(assigned)}`);
  if ((pod.spec?.schedulingGates?.length ?? 0) > 0) throw refuse(`pod ${name} has non-empty .spec.schedulingGates`);
  if (context.dryRun) return respondWith(201, success, negotiated);
  const [outcome] = await bindPods(served.cluster, [
    { namespace: target.namespace, name, uid: pod.metadata.uid ?? "", nodeName, ...(annotations && { annotations }) },
  ]);
  if (outcome?.kind !== "bound")
    throw refuse(outcome?.kind === "full" ? `node ${JSON.stringify(nodeName)} has no room for it` : `pod ${name} has changed`);
  return respondWith(201, success, negotiated);
}
