import { type Overload, overload } from "../overload.ts";
import { opaqueType } from "../type.ts";
import { type CelValue, OpaqueValue } from "../value.ts";

/** What an expression asks: may this user do that? Empty fields are not set. */
export type AuthorizationQuestion =
  | { readonly kind: "path"; readonly path: string; readonly verb: string; readonly serviceAccount?: ServiceAccountName }
  | {
      readonly kind: "resource";
      readonly verb: string;
      readonly group: string;
      readonly resource: string;
      readonly subresource: string;
      readonly namespace: string;
      readonly name: string;
      readonly fieldSelector: string;
      readonly labelSelector: string;
      readonly serviceAccount?: ServiceAccountName;
    };

export interface ServiceAccountName {
  readonly namespace: string;
  readonly name: string;
}

export interface AuthorizationDecision {
  readonly allowed: boolean;
  readonly reason: string;
  /** Set when the decision could not be made. */
  readonly error?: string;
}

/** The port that answers. Without `serviceAccount` the question is about the user of the request. */
export type AskAuthorizer = (question: AuthorizationQuestion) => AuthorizationDecision;

interface Asking {
  readonly ask: AskAuthorizer;
  readonly serviceAccount?: ServiceAccountName;
}
interface ResourceQuestion extends Asking {
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly fieldSelector: string;
  readonly labelSelector: string;
}

export const authorizerType = opaqueType("kubernetes.authorization.Authorizer");
/** `authorizer.requestResource`: the resource of the request, ready to be checked. */
export const resourceCheckType = opaqueType("kubernetes.authorization.ResourceCheck");
const pathCheckType = opaqueType("kubernetes.authorization.PathCheck");
const groupCheckType = opaqueType("kubernetes.authorization.GroupCheck");
const decisionType = opaqueType("kubernetes.authorization.Decision");

export const authorizerValue = (ask: AskAuthorizer): CelValue => new OpaqueValue<Asking>(authorizerType, { ask }, "authorizer");

export function resourceCheckValue(ask: AskAuthorizer, resource: Partial<Omit<ResourceQuestion, "ask">>): CelValue {
  const question = {
    ask,
    group: "",
    resource: "",
    subresource: "",
    namespace: "",
    name: "",
    fieldSelector: "",
    labelSelector: "",
    ...resource,
  };
  return new OpaqueValue<ResourceQuestion>(resourceCheckType, question, JSON.stringify(question));
}

const content = <T>(value: CelValue | undefined): T => (value as OpaqueValue<T>).content;
const text = (value: CelValue | undefined): string => value as string;

function narrow(check: CelValue | undefined, change: Partial<ResourceQuestion>): CelValue {
  const { ask, ...resource } = content<ResourceQuestion>(check);
  return resourceCheckValue(ask, { ...resource, ...change });
}

function decisionValue(decision: AuthorizationDecision): CelValue {
  return new OpaqueValue(decisionType, decision, JSON.stringify(decision));
}

const account = ({ serviceAccount }: Asking) => (serviceAccount === undefined ? {} : { serviceAccount });

/** Questions to the authorizer (apiserver `cel/library/authz.go`). */
export const authorizerLibrary: readonly Overload[] = [
  overload(
    "authorizer_path",
    `(${authorizerType.name}).path(string): ${pathCheckType.name}`,
    ([asking, path]) => new OpaqueValue(pathCheckType, { ...content<Asking>(asking), path: text(path) }, text(path)),
  ),
  overload(
    "authorizer_group",
    `(${authorizerType.name}).group(string): ${groupCheckType.name}`,
    ([asking, group]) => new OpaqueValue(groupCheckType, { ...content<Asking>(asking), group: text(group) }, text(group)),
  ),
  overload(
    "authorizer_serviceaccount",
    `(${authorizerType.name}).serviceAccount(string, string): ${authorizerType.name}`,
    ([asking, namespace, name]) =>
      new OpaqueValue<Asking>(
        authorizerType,
        { ask: content<Asking>(asking).ask, serviceAccount: { namespace: text(namespace), name: text(name) } },
        text(name),
      ),
  ),
  overload("groupcheck_resource", `(${groupCheckType.name}).resource(string): ${resourceCheckType.name}`, ([group, resource]) => {
    const asked = content<Asking & { readonly group: string }>(group);
    return resourceCheckValue(asked.ask, { ...account(asked), group: asked.group, resource: text(resource) });
  }),
  ...(["subresource", "namespace", "name", "fieldSelector", "labelSelector"] as const).map((field) =>
    overload(
      `resourcecheck_${field.toLowerCase()}`,
      `(${resourceCheckType.name}).${field}(string): ${resourceCheckType.name}`,
      ([check, value]) => narrow(check, { [field]: text(value) }),
    ),
  ),
  overload("pathcheck_check", `(${pathCheckType.name}).check(string): ${decisionType.name}`, ([check, verb]) => {
    const asked = content<Asking & { readonly path: string }>(check);
    return decisionValue(asked.ask({ kind: "path", path: asked.path, verb: text(verb), ...account(asked) }));
  }),
  overload("resourcecheck_check", `(${resourceCheckType.name}).check(string): ${decisionType.name}`, ([check, verb]) => {
    const { ask, ...question } = content<ResourceQuestion>(check);
    return decisionValue(ask({ kind: "resource", verb: text(verb), ...question }));
  }),
  overload("decision_errored", `(${decisionType.name}).errored(): bool`, ([d]) => content<AuthorizationDecision>(d).error !== undefined),
  overload("decision_error", `(${decisionType.name}).error(): string`, ([d]) => content<AuthorizationDecision>(d).error ?? ""),
  overload("decision_allowed", `(${decisionType.name}).allowed(): bool`, ([d]) => content<AuthorizationDecision>(d).allowed),
  overload("decision_reason", `(${decisionType.name}).reason(): string`, ([d]) => content<AuthorizationDecision>(d).reason),
];
