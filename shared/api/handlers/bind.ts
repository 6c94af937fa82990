import { pods } from "../../kubernetes/known-resources.ts";
import type { ResourceDefinition } from "../../kubernetes/resources.ts";
import { together } from "../../kubernetes/schema/invalid.ts";
import { kindSchema } from "../../kubernetes/schema/kind-schema.ts";
import { StatusError, UnexplainedError } from "../../kubernetes/status-error.ts";
import type { Binding as BindingObject, Pod } from "../../kubernetes/types.ts";
import type { StoredObject } from "../../store/store.ts";
import { admitRequest } from "../admission.ts";
import { bindPods } from "../binding.ts";
import type { Call } from "../cluster-api.ts";
import { negotiate } from "../negotiation.ts";
import { uidMismatch, versionMismatch } from "../preconditions.ts";
import { respondWith } from "../rendering.ts";
import { type ApiResponse, conflict, notFound } from "../response.ts";
import { decodeBody } from "./decode-body.ts";
import { checkPlace, writeContext } from "./write.ts";

/** How often a pod that changes while it is bound is looked at again. */
const attempts = 30;
const success = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 } as const;

/** `pods/binding`, and `bindings` with the pod's name in the body. */
export async function bindOne(call: Call): Promise<ApiResponse> {
  const { served, target, definition } = call;
  const negotiated = negotiate(call);
  const context = writeContext(call, "CreateOptions");
  const expected = { kind: "Binding", apiVersion: "v1", schema: kindSchema("", "v1", "Binding") };
  const binding = (await decodeBody(call, "CreateOptions", expected)) as BindingObject;
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
  const { annotations, resourceVersion = "" } = binding.metadata;
  const conditions = { ...(annotations && { annotations }), ...(resourceVersion !== "" && { resourceVersion }) };
  for (let attempt = 1; ; attempt++) {
    const found = await served.registry.latest({ ...pods, namespace: target.namespace, name });
    if (!found) throw notFound("", "pods", name);
    checkBindable(definition, found, binding);
    if (context.dryRun) return respondWith(201, success, negotiated);
    const uid = found.object.metadata.uid ?? "";
    const [outcome] = await bindPods(served.cluster, [{ namespace: target.namespace, name, uid, nodeName, ...conditions }]);
    if (outcome?.kind === "bound") return respondWith(201, success, negotiated);
    if (outcome?.kind === "full") throw refused(name, `node ${JSON.stringify(nodeName)} has no room for it`);
    if (attempt >= attempts) throw refused(name, `pod ${name} has changed`);
  }
}

const refused = (name: string, why: string): StatusError => conflict("", "pods/binding", name, why);

/** Whether the pod is the one that is meant, and waits for a node (`setPodHostAndAnnotations` of pkg/registry/core/pod). @throws StatusError `Conflict` */
function checkBindable(definition: ResourceDefinition, { key, object, revision }: StoredObject, { metadata }: BindingObject): void {
  const { metadata: own, spec } = object as Pod;
  const { uid = "", resourceVersion = "" } = metadata;
  const { name } = key;
  if (uid !== "" && uid !== own.uid) throw uidMismatch(definition, key, uid, own.uid);
  if (resourceVersion !== "" && resourceVersion !== String(revision))
    throw versionMismatch(definition, key, resourceVersion, String(revision));
  if (own.deletionTimestamp !== undefined) throw refused(name, `pod ${name} is being deleted, cannot be assigned to a host`);
  const assigned = spec?.nodeName ?? "";
  if (assigned !== "") throw refused(name, `pod ${name} is already assigned to node ${JSON.stringify(assigned)}`);
  if ((spec?.schedulingGates?.length ?? 0) > 0) throw refused(name, `pod ${name} has non-empty .spec.schedulingGates`);
}
