import { dnsLabelProblems, dnsSubdomainProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type { FlowSchema, PriorityLevelConfiguration } from "../../types.ts";
import { duplicate, forbidden, invalid, notSupported, required } from "../field-error.ts";
import { goQuote, goStringList } from "../go-text.ts";
import { checkDnsSubdomain, invalidEach } from "./checks.ts";

type FlowSpec = NonNullable<FlowSchema["spec"]>;
type FlowRule = NonNullable<FlowSpec["rules"]>[number];
type Subject = FlowRule["subjects"][number];
type Limited = NonNullable<NonNullable<PriorityLevelConfiguration["spec"]>["limited"]>;
type LimitResponse = NonNullable<Limited["limitResponse"]>;
type Queuing = NonNullable<LimitResponse["queuing"]>;

const defaultPrecedence = 1000;
const maximumPrecedence = 10_000;
const maximumQueues = 10_000_000;
/** What a hash of a request has to deal hands with. */
const hashBits = 60;
const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];

export function validateFlowSchema({ metadata, spec }: FlowSchema): StatusCause[] {
  const {
    matchingPrecedence: precedence = spec === undefined ? defaultPrecedence : 0,
    distinguisherMethod,
    priorityLevelConfiguration,
    rules = [],
  } = spec ?? {};
  const at = "spec.matchingPrecedence";
  const causes: StatusCause[] = [];
  if (precedence <= 0) causes.push(invalid(at, precedence, "must be a positive value"));
  if (precedence > maximumPrecedence) causes.push(invalid(at, precedence, `must not be greater than ${maximumPrecedence}`));
  if (precedence === 1 && metadata.name !== "exempt")
    causes.push(invalid(at, precedence, "only the schema named 'exempt' may have matchingPrecedence 1"));
  const method: string | undefined = distinguisherMethod && (distinguisherMethod.type ?? "");
  if (method !== undefined && method !== "ByNamespace" && method !== "ByUser") {
    const printed = { go: `flowcontrol.FlowDistinguisherMethod{Type:${goQuote(method)}}` };
    causes.push(notSupported("spec.distinguisherMethod.type", printed, ["ByNamespace", "ByUser"]));
  }
  const name = priorityLevelConfiguration?.name ?? "";
  const path = "spec.priorityLevelConfiguration.name";
  causes.push(...(name === "" ? [required(path, "must reference a priority level")] : checkDnsSubdomain(name, path)));
  return [...causes, ...rules.flatMap((rule, index) => checkRule(rule ?? {}, `spec.rules[${index}]`))];
}

function checkRule(rule: Partial<FlowRule>, path: string): StatusCause[] {
  const { subjects, resourceRules = [], nonResourceRules = [] } = rule;
  const causes = (subjects ?? []).flatMap((subject, index) => checkSubject(subject, `${path}.subjects[${index}]`));
  if ((subjects ?? []).length === 0) causes.push(required(`${path}.subjects`, "subjects must contain at least one value"));
  if (resourceRules.length === 0 && nonResourceRules.length === 0)
    causes.push(required(path, "at least one of resourceRules and nonResourceRules has to be non-empty"));
  resourceRules.forEach((given, index) => {
    const at = `${path}.resourceRules[${index}]`;
    const { apiGroups, resources, namespaces } = given;
    causes.push(...checkVerbs(given.verbs ?? [], `${at}.verbs`));
    causes.push(...checkNames(apiGroups ?? [], `${at}.apiGroups`, "api group"));
    causes.push(...checkNames(resources ?? [], `${at}.resources`, "resource"));
    causes.push(...checkNamespaces(namespaces ?? [], given.clusterScope === true, `${at}.namespaces`));
  });
  nonResourceRules.forEach((given, index) => {
    const at = `${path}.nonResourceRules[${index}]`;
    causes.push(...checkVerbs(given.verbs ?? [], `${at}.verbs`), ...checkUrls(given.nonResourceURLs ?? [], `${at}.nonResourceURLs`));
  });
  return causes;
}

const subjectFields = { ServiceAccount: "serviceAccount", User: "user", Group: "group" } as const;

function checkSubject(subject: Partial<Subject> | null, path: string): StatusCause[] {
  const kind = subject?.kind ?? "";
  const own = Object.hasOwn(subjectFields, kind) ? subjectFields[kind as keyof typeof subjectFields] : undefined;
  if (own === undefined) return [notSupported(`${path}.kind`, kind, ["Group", "ServiceAccount", "User"])];
  const at = `${path}.${own}`;
  const given = subject?.[own];
  const causes: StatusCause[] = [];
  if (given === undefined) causes.push(required(at, `${own} is required when subject kind is '${kind}'`));
  else if (given.name === "") causes.push(required(`${at}.name`));
  if (own === "serviceAccount" && subject?.serviceAccount !== undefined) {
    const { name, namespace } = subject.serviceAccount;
    if (name !== "" && name !== "*") causes.push(...invalidEach(`${at}.name`, name, dnsSubdomainProblems(name)));
    causes.push(
      ...(namespace === ""
        ? [required(`${at}.namespace`, "must specify namespace for service account")]
        : invalidEach(`${at}.namespace`, namespace, dnsLabelProblems(namespace))),
    );
  }
  for (const [other, field] of [
    ["ServiceAccount", "serviceAccount"],
    ["User", "user"],
    ["Group", "group"],
  ] as const)
    if (field !== own && subject?.[field] !== undefined)
      causes.push(forbidden(`${path}.${field}`, `${field} is forbidden when subject kind is not '${other}'`));
  return causes;
}

function checkVerbs(given: readonly string[], path: string): StatusCause[] {
  if (given.length === 0) return [required(path, "verbs must contain at least one value")];
  const printed = { go: goStringList(given) };
  if (given.includes("*")) return given.length > 1 ? [invalid(path, printed, "if '*' is present, must not specify other verbs")] : [];
  return given.every((verb) => verbs.includes(verb)) ? [] : [notSupported(path, printed, verbs)];
}

function checkNames(given: readonly string[], path: string, what: string): StatusCause[] {
  if (given.length === 0) return [required(path, `resource rules must supply at least one ${what}`)];
  if (given.length === 1 || !given.includes("*")) return [];
  return [invalid(path, { go: goStringList(given) }, `if '*' is present, must not specify other ${what}s`)];
}

function checkNamespaces(given: readonly string[], clusterScope: boolean, path: string): StatusCause[] {
  if (given.length === 0)
    return clusterScope ? [] : [required(path, "resource rules that are not cluster scoped must supply at least one namespace")];
  if (given.includes("*"))
    return given.length > 1 ? [invalid(path, { go: goStringList(given) }, "if '*' is present, must not specify other namespaces")] : [];
  return given.flatMap((name, index) =>
    dnsLabelProblems(name).map((problem) =>
      invalid(`${path}[${index}]`, name, `each member of this list must be '*' or a DNS-1123 label; ${problem}`),
    ),
  );
}

function checkUrls(given: readonly string[], path: string): StatusCause[] {
  if (given.length === 0) return [required(path, "nonResourceURLs must contain at least one value")];
  if (given.includes("*"))
    return given.length > 1
      ? [invalid(path, { go: goStringList(given) }, "if '*' is present, must not specify other non-resource URLs")]
      : [];
  return given.flatMap((url, index) => {
    const problem = urlProblem(url);
    return problem === undefined ? [] : [invalid(`${path}[${index}]`, url, problem)];
  });
}

/** `ValidateNonResourceURLPath` */
function urlProblem(url: string): string | undefined {
  if (url === "") return "must not be empty";
  if (url === "/") return undefined;
  if (!url.startsWith("/")) return "must start with slash";
  if (url.includes(" ")) return "must not contain white-space";
  if (url.includes("//")) return "must not contain double slash";
  const wildcards = url.split("*").length - 1;
  if (wildcards > 1 || (wildcards === 1 && !url.endsWith("/*"))) return "wildcard can only do suffix matching";
  return undefined;
}

/** Of both kinds of this group. */
export function validateFlowControlStatus({ status }: FlowSchema | PriorityLevelConfiguration): StatusCause[] {
  const types = (status?.conditions ?? []).map(({ type = "" }) => type);
  return types.flatMap((type, index) => {
    const path = `status.conditions[${index}].type`;
    return [...(types.indexOf(type) < index ? [duplicate(path, type)] : []), ...(type === "" ? [required(path, "must not be empty")] : [])];
  });
}

export function validatePriorityLevel({ metadata, spec }: PriorityLevelConfiguration): StatusCause[] {
  const { limited, exempt } = spec ?? {};
  const type: string = spec?.type ?? "";
  const causes: StatusCause[] = [];
  if ((metadata.name === "exempt") !== (type === "Exempt"))
    causes.push(invalid("spec.type", type, "type must be 'Exempt' if and only if name is 'exempt'"));
  if (type === "Exempt") {
    if (limited !== undefined) causes.push(forbidden("spec.limited", "must be nil if the type is not Limited"));
    const shares = exempt?.nominalConcurrencyShares ?? 0;
    if (shares < 0) causes.push(invalid("spec.exempt.nominalConcurrencyShares", shares, "must be a non-negative integer"));
    return [...causes, ...checkLendable(exempt?.lendablePercent, "spec.exempt.lendablePercent")];
  }
  if (type !== "Limited") return [...causes, notSupported("spec.type", type, ["Exempt", "Limited"])];
  if (exempt !== undefined) causes.push(forbidden("spec.exempt", "must be nil if the type is Limited"));
  return [
    ...causes,
    ...(limited === undefined
      ? [required("spec.limited", "must not be empty when type is Limited")]
      : checkLimited(limited, "spec.limited")),
  ];
}

function checkLendable(percent: number | undefined, path: string): StatusCause[] {
  return percent === undefined || (percent >= 0 && percent <= 100) ? [] : [invalid(path, percent, "must be between 0 and 100, inclusive")];
}

function checkLimited(limited: Limited, path: string): StatusCause[] {
  const { nominalConcurrencyShares: shares = 0, borrowingLimitPercent: borrowed = 0, lendablePercent, limitResponse } = limited;
  const causes: StatusCause[] = [];
  if (shares < 0) causes.push(invalid(`${path}.nominalConcurrencyShares`, shares, "must be a non-negative integer"));
  causes.push(...checkResponse(limitResponse, `${path}.limitResponse`), ...checkLendable(lendablePercent, `${path}.lendablePercent`));
  if (borrowed < 0) causes.push(invalid(`${path}.borrowingLimitPercent`, borrowed, "if specified, must be a non-negative integer"));
  return causes;
}

function checkResponse(response: LimitResponse | undefined, path: string): StatusCause[] {
  const type: string = response?.type ?? "";
  const queuing = response?.queuing;
  if (type === "Reject")
    return queuing === undefined ? [] : [forbidden(`${path}.queuing`, "must be nil if limited.limitResponse.type is not Limited")];
  if (type !== "Queue") return [notSupported(`${path}.type`, type, ["Queue", "Reject"])];
  return queuing === undefined
    ? [required(`${path}.queuing`, "must not be empty if limited.limitResponse.type is Limited")]
    : checkQueuing(queuing, `${path}.queuing`);
}

function checkQueuing({ queueLengthLimit = 0, queues = 0, handSize = 0 }: Queuing, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (queueLengthLimit <= 0) causes.push(invalid(`${path}.queueLengthLimit`, queueLengthLimit, "must be positive"));
  if (queues <= 0) causes.push(invalid(`${path}.queues`, queues, "must be positive"));
  else if (queues > maximumQueues) causes.push(invalid(`${path}.queues`, queues, `must not be greater than ${maximumQueues}`));
  const at = `${path}.handSize`;
  if (handSize <= 0) return [...causes, invalid(at, handSize, "must be positive")];
  if (handSize > queues) return [...causes, invalid(at, handSize, `should not be greater than queues (${queues})`)];
  if (Math.ceil(Math.log2(queues)) * handSize <= hashBits) return causes;
  const why = `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${hashBits}`;
  return [...causes, invalid(at, handSize, why)];
}
