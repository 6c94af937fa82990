import { z } from "zod";
import type { RequestAttributes } from "../../auth/rbac-rules.ts";
import type { UserInfo } from "../../auth/user.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import { apiVersionOf, type ResourceDefinition } from "../../kubernetes/resources.ts";
import { goQuote } from "../../kubernetes/schema/go-text.ts";
import { invalidStatus } from "../../kubernetes/schema/invalid.ts";
import {
  validateLocalSubjectAccessReview,
  validateSelfSubjectAccessReview,
  validateSubjectAccessReview,
} from "../../kubernetes/schema/validation/reviews.ts";
import { type StatusCause, StatusError } from "../../kubernetes/status-error.ts";
import type { LocalSubjectAccessReview, SelfSubjectAccessReview, SubjectAccessReview } from "../../kubernetes/types.ts";
import { LazyObject } from "../../store/stored-entry.ts";
import { timestamp } from "../api-cluster.ts";
import type { Call } from "../cluster-api.ts";
import { expectedOf } from "../decode.ts";
import { recordManagers } from "../field-managers.ts";
import { negotiate } from "../negotiation.ts";
import { respond } from "../rendering.ts";
import { type ApiResponse, methodNotAllowed, noSuchResource, notFound } from "../response.ts";
import { bindOne } from "./bind.ts";
import { decodeBody } from "./decode-body.ts";
import { encoderFor } from "./read.ts";
import { checkPlace, writeContext } from "./write.ts";

/** Resources that are never stored: a question with its answer. */
export const isVirtual = (definition: ResourceDefinition): boolean => !definition.verbs.has("watch");

const resourceAttributes = z.object({
  namespace: z.string().optional(),
  verb: z.string().optional(),
  group: z.string().optional(),
  resource: z.string().optional(),
  subresource: z.string().optional(),
  name: z.string().optional(),
});
const accessSpec = z.object({
  resourceAttributes: resourceAttributes.nullish(),
  nonResourceAttributes: z.object({ path: z.string().optional(), verb: z.string().optional() }).nullish(),
  user: z.string().optional(),
  groups: z.array(z.string()).nullish(),
  uid: z.string().optional(),
  namespace: z.string().optional(),
  token: z.string().optional(),
  audiences: z.array(z.string()).nullish(),
});
type Spec = z.infer<typeof accessSpec>;
/** A question with its answer. */
type Review = KubernetesObject & { readonly status: object };

/** Go writes a time that was never set. */
const noTime: object = { creationTimestamp: null };

export async function handleVirtual(call: Call): Promise<ApiResponse> {
  const { definition, target, served } = call;
  if (definition.resource === "componentstatuses") return componentStatuses(call);
  if (target.name !== "") throw noSuchResource();
  if (target.verb !== "create") throw methodNotAllowed();
  const negotiated = negotiate(call, "review");
  if (definition.resource === "bindings") return bindOne(call);
  const { object, spec, fieldManager } = await readSpec(call);
  const answer = (review: Review): ApiResponse => {
    const bytes = Buffer.from(JSON.stringify(review));
    const key = { group: definition.group, resource: definition.resource, namespace: target.namespace, name: "" };
    return respond(201, encoderFor(call, negotiated).object(new LazyObject(key, 0, bytes, review)), negotiated);
  };
  if (definition.resource.endsWith("accessreviews") || definition.resource === "tokenreviews") {
    const schema = served.registry.schemaOf(definition);
    recordManagers(
      { definition, schema, manager: fieldManager, subresource: "", timeIso: timestamp(served.cluster.clock.now()) },
      undefined,
      object,
    );
  }
  const base = {
    ...object,
    kind: definition.kind,
    apiVersion: apiVersionOf(definition),
    metadata: { ...object.metadata, ...noTime },
  };
  switch (definition.resource) {
    case "selfsubjectreviews": {
      const { username, uid, groups, extra } = call.user;
      const metadata = { creationTimestamp: timestamp(served.cluster.clock.now()) };
      return answer({ ...base, metadata, status: { userInfo: { username, ...(uid && { uid }), groups, ...(extra && { extra }) } } });
    }
    case "tokenreviews":
      if ((spec.token ?? "") === "") throw new StatusError("BadRequest", "token is required for TokenReview in authentication");
      return answer({ ...base, status: await reviewToken(call, spec) });
    case "selfsubjectrulesreviews": {
      if ((spec.namespace ?? "") === "") throw new StatusError("BadRequest", "no namespace on request");
      const { resourceRules, nonResourceRules, evaluationError } = served.authorizer.rulesFor(call.user, spec.namespace ?? "");
      // The answer is made anew, without the question.
      return answer({
        ...{ kind: definition.kind, apiVersion: apiVersionOf(definition), metadata: noTime, spec: {} },
        status: { resourceRules, nonResourceRules, incomplete: false, ...(evaluationError && { evaluationError }) },
      });
    }
    default:
      return answer({ ...base, status: reviewAccess(call, spec, object) });
  }
}

async function readSpec(call: Call) {
  const { definition, served, target } = call;
  const { fieldManager } = writeContext(call, "CreateOptions");
  const object = await decodeBody(call, "CreateOptions", expectedOf(definition, served.registry.schemaOf(definition)));
  checkPlace(object, definition.namespaced ? target.namespace : "", "");
  const parsed = accessSpec.safeParse("spec" in object && object.spec !== undefined && object.spec !== null ? object.spec : {});
  if (!parsed.success) throw new StatusError("BadRequest", `${definition.kind} cannot be read: ${parsed.error.issues[0]?.message ?? ""}`);
  return { object, spec: parsed.data, fieldManager };
}

function reviewAccess(call: Call, spec: Spec, object: KubernetesObject): object {
  const { served, user, definition } = call;
  const self = definition.resource === "selfsubjectaccessreviews";
  const problems = accessProblems(call, object);
  if (problems.length > 0) throw invalidStatus("", definition.group, "", problems);
  const subject: UserInfo = self ? user : { username: spec.user ?? "", groups: spec.groups ?? [], ...(spec.uid && { uid: spec.uid }) };
  const { allowed, reason } = served.authorizer.authorize(subject, attributesOf(spec));
  return { allowed, ...(reason !== "" && { reason }) };
}

/** What is wrong with a review of access. Its answer names no kind, as kube-apiserver has forgotten it by then. */
function accessProblems({ definition }: Call, object: KubernetesObject): StatusCause[] {
  switch (definition.resource) {
    case "localsubjectaccessreviews":
      return validateLocalSubjectAccessReview(object as LocalSubjectAccessReview);
    case "selfsubjectaccessreviews":
      return validateSelfSubjectAccessReview(object as SelfSubjectAccessReview);
    default:
      return validateSubjectAccessReview(object as SubjectAccessReview);
  }
}

function attributesOf({ resourceAttributes: resource, nonResourceAttributes: path }: Spec): RequestAttributes {
  if (!resource) return { kind: "nonResource", verb: path?.verb ?? "", path: path?.path ?? "" };
  const { verb = "", group = "", subresource = "", namespace = "", name = "" } = resource;
  return { kind: "resource", verb, group, resource: resource.resource ?? "", subresource, namespace, name };
}

async function reviewToken({ served }: Call, spec: Spec): Promise<object> {
  const asked = spec.audiences?.length ? spec.audiences : served.tokens.audiences;
  const verified = await served.tokens.verify(spec.token ?? "");
  const user = verified && served.tokens.accept(verified, asked);
  if (!verified || !user) return { user: {}, error: refusal(asked, verified?.audiences) };
  const { username, uid, groups, extra } = user;
  const audiences = verified.audiences.filter((audience) => asked.includes(audience));
  return { authenticated: true, user: { username, ...(uid && { uid }), groups, ...(extra && { extra }) }, audiences };
}

/** Two authenticators have looked at a token that is good for others. */
function refusal(asked: readonly string[], audiences: readonly string[] | undefined): string {
  const unknown = "invalid bearer token";
  if (!audiences || audiences.some((audience) => asked.includes(audience))) return unknown;
  const list = (texts: readonly string[]): string => `[${texts.map(goQuote).join(" ")}]`;
  return `[${unknown}, token audiences ${list(audiences)} is invalid for the target audiences ${list(asked)}]`;
}

const components = ["controller-manager", "scheduler", "etcd-0"];

/** Deprecated since 1.19, still asked for by `kubectl get cs`: scheduler and controllers are part of this program. */
function componentStatuses(call: Call): ApiResponse {
  const { target, definition } = call;
  if (target.verb === "get" || target.verb === "list") call.warnings.push("v1 ComponentStatus is deprecated in v1.19+");
  const negotiated = negotiate(call);
  const encoder = encoderFor(call, negotiated);
  const stored = components.map((name) => {
    const object = {
      kind: "ComponentStatus",
      apiVersion: "v1",
      metadata: { name },
      conditions: [{ type: "Healthy", status: "True", message: "ok" }],
    };
    return new LazyObject(
      { group: "", resource: definition.resource, namespace: "", name },
      0,
      Buffer.from(JSON.stringify({ ...object, metadata: { name, creationTimestamp: null } })),
      object,
    );
  });
  if (target.verb === "list")
    return respond(200, encoder.list({ items: stored, revision: 0, continueToken: undefined, remaining: undefined }), negotiated);
  if (target.verb !== "get") throw methodNotAllowed();
  const found = stored.find(({ key }) => key.name === target.name);
  if (!found) throw notFound("", "componentstatus", target.name);
  return respond(200, encoder.object(found), negotiated);
}
