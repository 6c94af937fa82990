import { z } from "zod";
import type { ServiceAccountTokenRequest } from "../../auth/token.ts";
import { nodes, pods, secrets } from "../../kubernetes/known-resources.ts";
import { invalidStatus } from "../../kubernetes/schema/invalid.ts";
import { kindSchema } from "../../kubernetes/schema/kind-schema.ts";
import { StatusError } from "../../kubernetes/status-error.ts";
import type { AuthenticationV1TokenRequest, ObjectMeta, Pod } from "../../kubernetes/types.ts";
import { admitRequest } from "../admission.ts";
import { timestamp } from "../api-cluster.ts";
import type { Call } from "../cluster-api.ts";
import { recordManagers } from "../field-managers.ts";
import { negotiate } from "../negotiation.ts";
import { respondWith } from "../rendering.ts";
import { type ApiResponse, conflict, notFound } from "../response.ts";
import { decodeBody } from "./decode-body.ts";
import { findNewest } from "./read.ts";
import { writeContext } from "./write.ts";

const minSeconds = 600;
const maxSeconds = 2 ** 32;
const defaultSeconds = 3600;

const specShape = z.object({
  audiences: z.array(z.string()).nullish(),
  expirationSeconds: z.int().nullish(),
  boundObjectRef: z
    .object({ kind: z.string().optional(), apiVersion: z.string().optional(), name: z.string().optional(), uid: z.string().optional() })
    .nullish(),
});

type Bound = Pick<ServiceAccountTokenRequest, "pod" | "node" | "secret">;

/** `serviceaccounts/token` (KEP-1205, bound service account tokens). */
export async function requestToken(call: Call): Promise<ApiResponse> {
  const { served, target, definition } = call;
  const negotiated = negotiate(call);
  const context = writeContext(call, "CreateOptions");
  const expected = {
    kind: "TokenRequest",
    apiVersion: "authentication.k8s.io/v1",
    schema: kindSchema("authentication.k8s.io", "v1", "TokenRequest"),
  };
  const given = (await decodeBody(call, "CreateOptions", expected)) as AuthenticationV1TokenRequest;
  checkWhose(given.metadata ?? {}, target);
  await admitRequest(served.cluster, {
    ...{ served: definition, definition, schema: expected.schema, namespace: target.namespace, name: target.name, context },
    ...{ subresource: "token", operation: "CREATE", object: given },
  });
  const account = await findNewest(call);
  const spec = specShape.parse(given.spec ?? {});
  const expirationSeconds = spec.expirationSeconds ?? defaultSeconds;
  if (expirationSeconds < minSeconds) throw invalidSeconds(expirationSeconds, "may not specify a duration less than 10 minutes");
  if (expirationSeconds > maxSeconds) throw invalidSeconds(expirationSeconds, "may not specify a duration larger than 2^32 seconds");
  given.spec = { ...given.spec, expirationSeconds };
  const kind = Object.assign({}, definition, tokenRequests);
  const write = { definition: kind, schema: expected.schema, manager: context.fieldManager, subresource: "token" };
  recordManagers({ ...write, timeIso: timestamp(served.cluster.clock.now()) }, undefined, given);
  const audiences = spec.audiences && spec.audiences.length > 0 ? spec.audiences : [...served.tokens.audiences];
  const bound = spec.boundObjectRef ? findBound(call, spec.boundObjectRef) : {};
  const { uid = "" } = account.object.metadata;
  const { token, expiresAtMs } = await served.tokens.issue({
    namespace: target.namespace,
    serviceAccount: { name: target.name, uid },
    audiences,
    expirationSeconds,
    ...bound,
  });
  const answer = {
    kind: "TokenRequest",
    apiVersion: "authentication.k8s.io/v1",
    metadata: {
      ...given.metadata,
      ...{ name: target.name, namespace: target.namespace, creationTimestamp: timestamp(served.cluster.clock.now()) },
    },
    spec: { audiences, expirationSeconds, boundObjectRef: spec.boundObjectRef ?? null },
    status: { token, expirationTimestamp: timestamp(expiresAtMs) },
  };
  return respondWith(201, answer, negotiated);
}

const tokenRequests = { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest", resource: "tokenrequests", subresources: [] };

/** A request that names an account names that of the path. */
function checkWhose({ name = "", namespace = "" }: ObjectMeta, target: Call["target"]): void {
  if (namespace !== "" && namespace !== target.namespace)
    throw new StatusError("BadRequest", "the namespace of the provided object does not match the namespace sent on the request");
  if (name === "" || name === target.name) return;
  const message = `Invalid value: ${JSON.stringify(name)}: must match the service account name if specified`;
  throw invalidStatus("TokenRequest", "authentication.k8s.io", target.name, [
    { reason: "FieldValueInvalid", field: "metadata.name", message },
  ]);
}

const invalidSeconds = (seconds: number, why: string): StatusError =>
  invalidStatus("TokenRequest", "authentication.k8s.io", "", [
    { reason: "FieldValueInvalid", field: "spec.expirationSeconds", message: `Invalid value: ${seconds}: ${why}` },
  ]);

interface BoundReference {
  readonly apiVersion?: string | undefined;
  readonly kind?: string | undefined;
  readonly name?: string | undefined;
  readonly uid?: string | undefined;
}

function findBound(call: Call, reference: BoundReference): Bound {
  const { served, target } = call;
  const { mirror } = served.cluster;
  const kinds = { Pod: pods, Node: nodes, Secret: secrets } as const;
  const { kind = "", name = "" } = reference;
  const [version = "", group = ""] = (reference.apiVersion ?? "").split("/").reverse();
  if (group !== "" || !(kind in kinds))
    throw new StatusError("BadRequest", `cannot bind token to object of type ${group}/${version}, Kind=${kind}`);
  const resource = kinds[kind as keyof typeof kinds];
  const found = mirror.get(resource, kind === "Node" ? "" : target.namespace, name);
  if (!found) throw notFound("", resource.resource, name);
  const uid = found.object.metadata.uid ?? "";
  if (kind === "Pod" && (found.object as Pod).spec?.serviceAccountName !== target.name) {
    const why = "to pod running with different serviceaccount name.";
    throw new StatusError("BadRequest", `cannot bind token for serviceaccount ${JSON.stringify(target.name)} ${why}`);
  }
  if (reference.uid !== undefined && reference.uid !== "" && reference.uid !== uid) {
    throw conflict(
      "",
      kind,
      name,
      `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  const bound = { name, uid };
  if (kind === "Node") return { node: bound };
  if (kind === "Secret") return { secret: bound };
  const nodeName = (found.object as Pod).spec?.nodeName ?? "";
  const node = nodeName === "" ? undefined : mirror.get(nodes, "", nodeName);
  return { pod: bound, ...(node && { node: { name: nodeName, uid: node.object.metadata.uid ?? "" } }) };
}
