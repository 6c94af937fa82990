import { z } from "zod";
import type { KubernetesObject } from "../../../kubernetes/object.ts";
import type { ResourceDefinition } from "../../../kubernetes/resources.ts";
import type { AdmissionAttributes, AdmissionContext } from "../attributes.ts";
import { requestNamespace } from "../matching.ts";

/** What of an `AdmissionReview` answer counts (admission.k8s.io/v1 `AdmissionResponse`); absent fields may also be null. */
const statusShape = z.looseObject({
  status: z.string().nullish(),
  message: z.string().nullish(),
  reason: z.string().nullish(),
  code: z.int().nullish(),
  details: z.record(z.string(), z.unknown()).nullish(),
});
const responseShape = z.looseObject({
  apiVersion: z.string().nullish(),
  kind: z.string().nullish(),
  response: z
    .looseObject({
      uid: z.string().nullish(),
      allowed: z.boolean().default(false),
      status: statusShape.nullish(),
      patch: z.string().nullish(),
      patchType: z.string().nullish(),
      warnings: z.array(z.string()).nullish(),
    })
    .nullish(),
});

export type ReviewStatus = z.infer<typeof statusShape>;

export interface ReviewAnswer {
  readonly allowed: boolean;
  readonly status: ReviewStatus | undefined;
  /** JSON Patch (RFC 6902); empty: none. */
  readonly patch: string;
  readonly warnings: readonly string[];
}

/** The kind that a request about a resource or its subresource speaks. */
export function kindOf(resource: ResourceDefinition, subresource: string) {
  const sub = resource.subresources.find(({ name }) => name === subresource) ?? resource;
  return { group: sub.group, version: sub.version, kind: sub.kind };
}

const resourceName = ({ group, version, resource }: ResourceDefinition) => ({ group, version, resource });

/** An `AdmissionReview` that asks about a request as if it were one about `resource`; objects are in that version. */
export function reviewOf(
  attributes: AdmissionAttributes,
  resource: ResourceDefinition,
  object: KubernetesObject | undefined,
  oldObject: KubernetesObject | undefined,
  uid: string,
  version: string,
): object {
  return {
    kind: "AdmissionReview",
    apiVersion: `admission.k8s.io/${version}`,
    request: requestOf(attributes, resource, object, oldObject, uid),
  };
}

/** The `AdmissionRequest`: what webhooks get and what CEL expressions know as `request`. */
export function requestOf(
  attributes: AdmissionAttributes,
  resource: ResourceDefinition,
  object: KubernetesObject | undefined,
  oldObject: KubernetesObject | undefined,
  uid: string,
): Record<string, unknown> {
  const { served, subresource, name, operation, context } = attributes;
  const { username, uid: userUid, groups, extra } = context.user;
  const namespace = requestNamespace(attributes);
  return {
    uid,
    kind: kindOf(resource, subresource),
    resource: resourceName(resource),
    ...(subresource !== "" && { subResource: subresource }),
    requestKind: kindOf(served, subresource),
    requestResource: resourceName(served),
    ...(subresource !== "" && { requestSubResource: subresource }),
    ...(name !== "" && { name }),
    ...(namespace !== "" && { namespace }),
    operation,
    userInfo: { username, ...(userUid && { uid: userUid }), groups, ...(extra && { extra }) },
    object: object ?? null,
    oldObject: oldObject ?? null,
    dryRun: context.dryRun,
    options: operation === "CONNECT" ? null : optionsOf(operation, context),
  };
}

const optionsKinds = { CREATE: "CreateOptions", UPDATE: "UpdateOptions", DELETE: "DeleteOptions" } as const;

/** What the client gave, and no more: the manager that a user agent stands for is not among it. A patch is an update or a create here. */
function optionsOf(operation: keyof typeof optionsKinds, { dryRun, options }: AdmissionContext): object {
  return { kind: optionsKinds[operation], apiVersion: "meta.k8s.io/v1", ...(dryRun && { dryRun: ["All"] }), ...options };
}

/** `VerifyAdmissionResponse`: answers why it is none, as a text. */
export function readAnswer(body: Buffer, uid: string, version: string, mutating: boolean): ReviewAnswer | string {
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch (error) {
    return `couldn't get version/kind; json parse error: ${error instanceof Error ? error.message : ""}`;
  }
  const parsed = responseShape.safeParse(value);
  if (!parsed.success) return parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join(", ");
  const { response, apiVersion, kind } = parsed.data;
  if (!response) return "webhook response was absent";
  const { patch, patchType } = response;
  if (version === "v1") {
    if (response.uid !== uid) return `expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? "")}`;
    if (apiVersion !== "admission.k8s.io/v1" || kind !== "AdmissionReview") {
      return `expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${apiVersion ?? ""}, Kind=${kind ?? ""}`;
    }
    if (mutating) {
      if (patch && patchType == null) return "webhook returned response.patch but not response.patchType";
      if (!patch && patchType != null) return "webhook returned response.patchType but not response.patch";
      if (patchType === "") return 'webhook returned invalid response.patchType of ""';
      if (patchType != null && patchType !== "JSONPatch") return `unsupported patch type ${JSON.stringify(patchType)}`;
    } else {
      if (patch) return "validating webhook may not return response.patch";
      if (patchType != null) return "validating webhook may not return response.patchType";
    }
  }
  return {
    allowed: response.allowed,
    status: response.status ?? undefined,
    patch: mutating && patch ? Buffer.from(patch, "base64").toString("utf8") : "",
    warnings: response.warnings ?? [],
  };
}
