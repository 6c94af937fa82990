import { humanDuration } from "../duration.ts";
import type {
  APIService,
  CertificateSigningRequest,
  ClusterRoleBinding,
  FlowSchema,
  LabelSelector,
  MutatingAdmissionPolicy,
  MutatingWebhookConfiguration,
  ParamKind,
  PriorityLevelConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from "../types.ts";
import { age, type Printer } from "./format.ts";

/** RoleBindings and ClusterRoleBindings. */
export const roleBindingCells: Printer = (object, nowMs) => {
  const binding = object as ClusterRoleBinding;
  const subjects = (kind: string) => (binding.subjects ?? []).filter((subject) => subject.kind === kind);
  const names = (kind: string) =>
    subjects(kind)
      .map(({ name }) => name)
      .join(", ");
  const accounts = subjects("ServiceAccount").map(({ namespace, name }) => `${namespace ?? ""}/${name}`);
  return [
    binding.metadata.name,
    `${binding.roleRef?.kind ?? ""}/${binding.roleRef?.name ?? ""}`,
    age(binding, nowMs),
    names("User"),
    names("Group"),
    accounts.join(", "),
  ];
};

export const certificateSigningRequestCells: Printer = (object, nowMs) => {
  const request = object as CertificateSigningRequest;
  const { metadata, spec } = request;
  return [
    metadata.name,
    age(request, nowMs),
    spec?.signerName || "<none>",
    spec?.username ?? "",
    spec?.expirationSeconds ? humanDuration(spec.expirationSeconds * 1000) : "<none>",
    requestCondition(request),
  ];
};

function requestCondition({ status }: CertificateSigningRequest): string {
  const is = (wanted: string) => status?.conditions?.some(({ type }) => type === wanted) ?? false;
  const decision = is("Denied") ? "Denied" : is("Approved") ? "Approved" : "Pending";
  return [decision, ...(is("Failed") ? ["Failed"] : []), ...(status?.certificate ? ["Issued"] : [])].join(",");
}

/** Validating and mutating webhook configurations. */
export const webhookConfigurationCells: Printer = (object, nowMs) => {
  const configuration = object as MutatingWebhookConfiguration;
  return [configuration.metadata.name, (configuration.webhooks ?? []).length, age(configuration, nowMs)];
};

export const validatingAdmissionPolicyCells: Printer = (object, nowMs) => {
  const policy = object as ValidatingAdmissionPolicy;
  return [policy.metadata.name, (policy.spec?.validations ?? []).length, paramKindText(policy.spec?.paramKind), age(policy, nowMs)];
};

export const mutatingAdmissionPolicyCells: Printer = (object, nowMs) => {
  const policy = object as MutatingAdmissionPolicy;
  return [policy.metadata.name, (policy.spec?.mutations ?? []).length, paramKindText(policy.spec?.paramKind), age(policy, nowMs)];
};

const paramKindText = (kind: ParamKind | undefined): string => (kind ? `${kind.apiVersion ?? ""}/${kind.kind ?? ""}` : "<unset>");

/** Of both kinds of policies. */
export const admissionPolicyBindingCells: Printer = (object, nowMs) => {
  const binding = object as ValidatingAdmissionPolicyBinding;
  const reference = binding.spec?.paramRef;
  const parameters = reference?.name
    ? `${reference.namespace || "*"}/${reference.name}`
    : reference?.selector
      ? goText(reference.selector)
      : "<unset>";
  return [binding.metadata.name, binding.spec?.policyName ?? "", parameters, age(binding, nowMs)];
};

/** A selector as Go's generated `String` method shows it: that is what kube-apiserver prints here. */
function goText({ matchLabels, matchExpressions }: LabelSelector): string {
  const labels = Object.entries(matchLabels ?? {})
    .map(([key, value]) => `${key}: ${value},`)
    .sort()
    .join("");
  const expressions = (matchExpressions ?? [])
    .map(({ key, operator, values }) => `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${(values ?? []).join(" ")}],},`)
    .join("");
  return `&LabelSelector{MatchLabels:map[string]string{${labels}},MatchExpressions:[]LabelSelectorRequirement{${expressions}},}`;
}

export const apiServiceCells: Printer = (object, nowMs) => {
  const service = object as APIService;
  const reference = service.spec?.service;
  const available = service.status?.conditions?.find(({ type }) => type === "Available");
  const reason = available?.status !== "True" && available?.reason ? ` (${available.reason})` : "";
  return [
    service.metadata.name,
    reference ? `${reference.namespace ?? ""}/${reference.name ?? ""}` : "Local",
    `${available?.status ?? "Unknown"}${reason}`,
    age(service, nowMs),
  ];
};

export const flowSchemaCells: Printer = (object, nowMs) => {
  const schema = object as FlowSchema;
  return [
    schema.metadata.name,
    schema.spec?.priorityLevelConfiguration?.name ?? "",
    schema.spec?.matchingPrecedence ?? 0,
    schema.spec?.distinguisherMethod?.type ?? "<none>",
    age(schema, nowMs),
    schema.status?.conditions?.find(({ type }) => type === "Dangling")?.status ?? "?",
  ];
};

export const priorityLevelConfigurationCells: Printer = (object, nowMs) => {
  const level = object as PriorityLevelConfiguration;
  const limited = level.spec?.limited;
  const queuing = limited?.limitResponse?.queuing;
  const queue = queuing ? [queuing.queues ?? 0, queuing.handSize ?? 0, queuing.queueLengthLimit ?? 0] : ["<none>", "<none>", "<none>"];
  return [
    level.metadata.name,
    level.spec?.type ?? "",
    limited ? (limited.nominalConcurrencyShares ?? 0) : "<none>",
    ...queue,
    age(level, nowMs),
  ];
};
