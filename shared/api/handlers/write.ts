import { checkEscalation } from "../../auth/escalation.ts";
import { forbidden } from "../../auth/forbidden.ts";
import { cloneJson } from "../../kubernetes/clone.ts";
import { deepEqual } from "../../kubernetes/deep-equal.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import { type ResourceDefinition, storedAs } from "../../kubernetes/resources.ts";
import { isStatus, StatusError, UnexplainedError } from "../../kubernetes/status-error.ts";
import type { ObjectMeta, OwnerReference } from "../../kubernetes/types.ts";
import type { StoredObject } from "../../store/store.ts";
import type { AdmissionContext } from "../admission/attributes.ts";
import type { Call } from "../cluster-api.ts";
import { needsWebhook } from "../conversion/converted-objects.ts";
import { expectedOf } from "../decode.ts";
import { decodePatched } from "../decode-patched.ts";
import { deleteObject } from "../deletion.ts";
import { listObjects, parseListOptions } from "../list.ts";
import { type Negotiated, negotiate } from "../negotiation.ts";
import type { DeleteOptions } from "../object-client.ts";
import { type ParsedDelete, parseDelete, parseDryRun, parseFieldManager, parseFieldValidation, refuseForce } from "../options.ts";
import { bodyLimit } from "../parse-body.ts";
import { applyPatch, parsePatch } from "../patch.ts";
import type { UpdateSubresource, WriteContext } from "../registry.ts";
import { respond, respondWith } from "../rendering.ts";
import { type ApiResponse, conflict, methodNotAllowed, noVersion } from "../response.ts";
import { parseSelection } from "../selection.ts";
import { strategyOf } from "../strategy.ts";
import { applyMediaType, applyOne } from "./apply.ts";
import { decodeBody } from "./decode-body.ts";
import { encoderFor } from "./read.ts";

const deleteConcurrency = 50;
/** How often what was not there may be there when it is created. */
const createAttempts = 2;

export function writeContext(
  { user, info, request, served, definition, warnings }: Call,
  kind: "CreateOptions" | "UpdateOptions" | "PatchOptions",
): WriteContext {
  const options = ["fieldManager", "fieldValidation"].map((name) => [name, info.query.get(name)] as const);
  return {
    user,
    dryRun: parseDryRun(kind, info.query),
    fieldManager: parseFieldManager(kind, info.query, request.header("user-agent")),
    options: Object.fromEntries(options.filter(([, value]) => value)),
    authorizer: served.authorizer,
    guard: (next, live) => checkEscalation(served.authorizer, user, definition, next, live),
    warn: (text) => warnings.push(text),
  };
}

/** The body as an object of the definition's kind in the request's namespace and under its name. @throws StatusError `BadRequest` */
async function readBody(call: Call, kind: "CreateOptions" | "UpdateOptions"): Promise<KubernetesObject> {
  const { definition, served, target, warnings } = call;
  const object = await decodeBody(call, kind, expectedOf(definition, served.registry.schemaOf(definition)));
  if (target.name !== "" && (object.metadata.name ?? "") === "") throw nameMissing(target.name);
  checkPlace(object, definition.namespaced ? target.namespace : "", target.name);
  dropRepeatedOwners(object.metadata, "", (text) => warnings.push(text));
  return object;
}

/** An owner named twice is kept once, with a warning (apiserver `dedupOwnerReferencesAndAddWarning`). */
function dropRepeatedOwners(metadata: ObjectMeta, when: string, warn: (text: string) => void): void {
  const { ownerReferences } = metadata;
  if (ownerReferences === undefined || ownerReferences.length < 2) return;
  const kept: OwnerReference[] = [];
  const repeated: string[] = [];
  for (const reference of ownerReferences) {
    if (kept.some((other) => deepEqual(other, reference))) repeated.push(reference.uid);
    else kept.push(reference);
  }
  if (repeated.length === 0) return;
  metadata.ownerReferences = kept;
  warn(
    `.metadata.ownerReferences contains duplicate entries${when}; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${repeated.join(", ")}`,
  );
}

/** Namespace and name of the body must be those of the path, or absent. */
export function checkPlace(object: KubernetesObject, namespace: string, name: string): void {
  const { metadata } = object;
  if (namespace === "") delete metadata.namespace;
  else if ((metadata.namespace ?? "") === "") metadata.namespace = namespace;
  else if (metadata.namespace !== namespace)
    throw new StatusError("BadRequest", "the namespace of the provided object does not match the namespace sent on the request");
  if (name === "") return;
  if ((metadata.name ?? "") === "") metadata.name = name;
  if (metadata.name !== name) throw nameMismatch(metadata.name ?? "", name);
}

/** The version that the client names, if any, must be that of the object there is. @throws StatusError `Conflict`, `Invalid` */
export function checkVersion({ group, resource }: ResourceDefinition, next: KubernetesObject, live: KubernetesObject): void {
  const { resourceVersion = "", name = "" } = next.metadata;
  if (resourceVersion !== "" && !/^\d+$/.test(resourceVersion)) throw noVersion(resourceVersion);
  if (resourceVersion !== "" && resourceVersion !== "0" && resourceVersion !== live.metadata.resourceVersion)
    throw conflict(group, resource, name);
}

export const nameMissing = (name: string): StatusError =>
  new StatusError("BadRequest", `the name of the object (${name} based on URL) was undeterminable: name must be provided`);

const nameMismatch = (given: string, name: string): StatusError =>
  new StatusError("BadRequest", `the name of the object (${given}) does not match the name on the URL (${name})`);

/** The store's own words, which the registry passes on without a reason. */
const versionOfNew = (version: string): StatusError =>
  /^\d+$/.test(version) ? new UnexplainedError("resourceVersion should not be set on objects to be created") : noVersion(version);

const terminating = ({ group, resource }: ResourceDefinition): StatusError =>
  new StatusError("MethodNotAllowed", "create not allowed while custom resource definition is terminating", { group, kind: resource });

export async function createOne(call: Call): Promise<ApiResponse> {
  const { definition, served, target } = call;
  if (!definition.verbs.has("create")) throw methodNotAllowed();
  if (definition.custom?.terminating) throw terminating(definition);
  const negotiated = negotiate(call);
  const context = writeContext(call, "CreateOptions");
  const object = await readBody(call, "CreateOptions");
  const { resourceVersion = "" } = object.metadata;
  // Only the store minds, which a dry run does not reach.
  if (!context.dryRun && resourceVersion !== "" && resourceVersion !== "0") throw versionOfNew(resourceVersion);
  const stored = await served.registry.create(definition, target.namespace, object, context);
  return answer(call, negotiated, 201, stored);
}

export async function updateOne(call: Call, subresource?: UpdateSubresource): Promise<ApiResponse> {
  const { definition, served, target } = call;
  if (!definition.verbs.has("update") && subresource === undefined) throw methodNotAllowed();
  const negotiated = negotiate(call);
  const context = writeContext(call, "UpdateOptions");
  const object = await readBody(call, "UpdateOptions");
  const { resourceVersion = "", uid = "" } = object.metadata;
  const creates = subresource === undefined && strategyOf(storedAs(definition)).createOnUpdate;
  const options = {
    subresource,
    replaces: subresource === undefined || subresource === "status",
    ...(resourceVersion !== "" && resourceVersion !== "0" && { resourceVersion }),
    ...(uid !== "" && { uid }),
  };
  const update = () => served.registry.update(definition, target.namespace, target.name, { replacement: object }, context, options);
  if (!creates) return answer(call, negotiated, 200, await update());
  const create = () => served.registry.create(definition, target.namespace, cloneJson(object), context);
  const { status, stored } = await updateOrCreate(call, update, create);
  return answer(call, negotiated, status, stored);
}

/** A write that creates what is not there. While it is made, others may make the object or delete it. */
export async function updateOrCreate(
  call: Call,
  update: () => Promise<StoredObject>,
  create: () => Promise<StoredObject>,
): Promise<{ status: 200 | 201; stored: StoredObject }> {
  for (let attempt = 1; ; attempt++) {
    try {
      return { status: 200, stored: await update() };
    } catch (error) {
      if (attempt > createAttempts || !isStatus(error, "NotFound")) throw error;
    }
    requireCreate(call);
    try {
      return { status: 201, stored: await create() };
    } catch (error) {
      if (!isStatus(error, "AlreadyExists")) throw error;
    }
  }
}

/** Who creates by another verb may create (apiserver `withAuthorization`). @throws StatusError `Forbidden` */
function requireCreate({ served, user, target }: Call): void {
  const { group, resource, namespace, name } = target;
  const attributes = { kind: "resource", verb: "create", group, resource, subresource: "", namespace, name } as const;
  const { allowed, reason } = served.authorizer.authorize(user, attributes);
  if (!allowed) throw forbidden(user, attributes, reason);
}

export async function patchOne(call: Call, subresource?: UpdateSubresource): Promise<ApiResponse> {
  const { definition, info, request, served, target } = call;
  if (!definition.verbs.has("patch") && subresource === undefined) throw methodNotAllowed();
  if (request.header("content-type")?.startsWith(applyMediaType)) return applyOne(call, subresource);
  refuseForce(info.query);
  const negotiated = negotiate(call);
  const context = writeContext(call, "PatchOptions");
  const validation = parseFieldValidation("PatchOptions", info.query);
  const schema = served.registry.schemaOf(definition);
  const patch = parsePatch(
    await request.body(bodyLimit),
    request.header("content-type"),
    definition.kind,
    definition.custom === undefined && schema !== undefined,
  );
  const expected = expectedOf(definition, schema);
  const change = (live: KubernetesObject): KubernetesObject => {
    const next = decodePatched(applyPatch(live, patch, schema), patch, expected, validation, context.warn);
    if ((next.metadata.name ?? "") === "") throw nameMissing(target.name);
    if (next.metadata.name !== live.metadata.name) throw nameMismatch(next.metadata.name ?? "", live.metadata.name ?? "");
    if (next.metadata.namespace !== live.metadata.namespace) {
      throw new StatusError("BadRequest", "the namespace of the provided object does not match the namespace sent on the request");
    }
    dropRepeatedOwners(next.metadata, " after mutating admission happens", context.warn);
    checkVersion(definition, next, live);
    return next;
  };
  const stored = await served.registry.update(definition, target.namespace, target.name, change, context, { subresource });
  return answer(call, negotiated, 200, stored);
}

/** Jobs leave their pods behind, unlike everything else (pkg/registry/batch/job). */
function warnOfOrphans({ definition, warnings }: Call, { propagationPolicy }: DeleteOptions): void {
  if (definition.collection !== "batch/jobs" || propagationPolicy !== undefined) return;
  const text = "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them";
  warnings.push(`${text} or set propagationPolicy=Orphan to suppress this warning`);
}

const deletionContext = ({ user, served, warnings }: Call, { dryRun, given }: ParsedDelete): AdmissionContext => ({
  ...{ user, dryRun, authorizer: served.authorizer, options: given },
  warn: (text) => warnings.push(text),
});

export async function deleteOne(call: Call): Promise<ApiResponse> {
  const { definition, info, request, served, target } = call;
  if (!definition.verbs.has("delete")) throw methodNotAllowed();
  const negotiated = negotiate(call);
  const parsed = await parseDelete(request, info.query, bodyLimit);
  warnOfOrphans(call, parsed.options);
  const { object, gone } = await deleteObject(
    served.registry,
    definition,
    target.namespace,
    target.name,
    parsed.options,
    deletionContext(call, parsed),
  );
  const stored = storedAs(definition);
  if (!gone || strategyOf(stored).returnsDeleted) return answer(call, negotiated, 200, object);
  const { uid } = object.object.metadata;
  const details = {
    name: target.name,
    ...(definition.group !== "" && { group: definition.group }),
    kind: definition.resource,
    ...(uid && { uid }),
  };
  return respondWith(200, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details }, negotiated);
}

export async function deleteMany(call: Call): Promise<ApiResponse> {
  const { definition, info, request, served, target } = call;
  const negotiated = negotiate(call);
  const selection = parseSelection(definition, info.query);
  const parsed = await parseDelete(request, info.query, bodyLimit);
  const { options } = parsed;
  warnOfOrphans(call, options);
  const stored = storedAs(definition);
  const result = await listObjects(
    served.cluster,
    stored,
    definition.namespaced ? target.namespace : "",
    selection,
    parseListOptions(info.query),
  );
  const items = [...result.items];
  const context = deletionContext(call, parsed);
  for (let at = 0; at < items.length; at += deleteConcurrency) {
    await Promise.all(
      items.slice(at, at + deleteConcurrency).map(async ({ key, object }) => {
        const uid = object.metadata.uid;
        await ignoreGone(deleteObject(served.registry, definition, key.namespace, key.name, { ...options, ...(uid && { uid }) }, context));
      }),
    );
  }
  // As they were before: the result itself follows the collection.
  return respond(200, encoderFor(call, negotiated).list({ ...result, items }), negotiated);
}

/** Somebody else was faster: as good as deleted. */
async function ignoreGone(deletion: Promise<unknown>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (!(error instanceof StatusError && (error.reason === "NotFound" || error.reason === "Conflict"))) throw error;
  }
}

/** What was written, as the version that was asked shows it. */
export async function answer(call: Call, negotiated: Negotiated, status: number, stored: StoredObject): Promise<ApiResponse> {
  const shown = needsWebhook(call.definition) ? await showWritten(call, stored) : stored;
  return respond(status, encoderFor(call, negotiated).object(shown), negotiated);
}

export async function showWritten({ served: { cluster }, definition }: Call, stored: StoredObject): Promise<StoredObject> {
  const [shown] = await cluster.resources.converted.show(cluster, definition, [stored]);
  return shown ?? stored;
}
