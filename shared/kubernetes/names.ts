/**
 * The rules for names of Kubernetes (apimachinery `util/validation` and `api/validation/path`). A `…Problems` function answers every
 * message, in Kubernetes' own words; its `is…` twin answers the first, and `undefined` for a good value.
 * Every expression takes time linear in its input.
 */
type Problems = readonly string[];

const none: Problems = [];
const maximumLabelLength = 63;
const maximumSubdomainLength = 253;

interface Rule {
  readonly expression: RegExp;
  readonly message: string;
}

const label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const subdomain = `${label}(\\.${label})*`;
const qualified = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

const dnsLabel = rule(
  label,
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  ["my-name", "123-abc"],
);
const dnsSubdomain = rule(
  subdomain,
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  ["example.com"],
);
const dnsSubdomainWithUnderscore: Rule = {
  expression: /^_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*$/,
  // The expression in the message is the one without underscores, as in Kubernetes.
  message: dnsSubdomain.message.replace("characters, '-'", "characters, '_', '-'"),
};
const dns1035Label = rule(
  "[a-z]([-a-z0-9]*[a-z0-9])?",
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  ["my-name", "abc-123"],
);
const wildcardSubdomain = rule(
  `\\*\\.${subdomain}`,
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
  ["*.example.com"],
);
const qualifiedName = rule(
  qualified,
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  ["MyName", "my.name", "123-abc"],
);
const labelValue = rule(
  `(${qualified})?`,
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  ["MyValue", "my_value", "12345"],
);
const cIdentifier = rule(
  "[A-Za-z_][A-Za-z0-9_]*",
  "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
  ["my_name", "MY_NAME", "MyName"],
);
const envVarName = rule(
  "[-._a-zA-Z][-._a-zA-Z0-9]*",
  "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit",
  ["my.env-name", "MY_ENV.NAME", "MyEnvName1"],
);
const configMapKey = rule("[-._a-zA-Z0-9]+", "a valid config key must consist of alphanumeric characters, '-', '_' or '.'", [
  "key.name",
  "KEY_NAME",
  "key-name",
]);
const httpHeaderName = rule("[-A-Za-z0-9]+", "a valid HTTP header must consist of alphanumeric characters or '-'", ["X-Header-Name"]);
const percent = rule("[0-9]+%", "a valid percent string must be a numeric string followed by an ending '%'", ["1%", "93%"]);

/** A label in DNS (RFC 1123): namespaces, containers, volumes. */
export function dnsLabelProblems(value: string): Problems {
  const tooLong = lengthProblem(value, maximumLabelLength);
  if (dnsLabel.expression.test(value)) return tooLong;
  return [...tooLong, dnsSubdomain.expression.test(value) ? "must not contain dots" : dnsLabel.message];
}

/** A subdomain in DNS (RFC 1123): the names of most objects. */
export function dnsSubdomainProblems(value: string): Problems {
  return matchProblems(value, dnsSubdomain, maximumSubdomainLength);
}

/** A subdomain whose labels may begin with `_` and have it inside: search domains of resolvers. */
export function searchDomainProblems(value: string): Problems {
  return matchProblems(value, dnsSubdomainWithUnderscore, maximumSubdomainLength);
}

/** A label in DNS (RFC 1035): services. */
export function dns1035LabelProblems(value: string): Problems {
  return matchProblems(value, dns1035Label, maximumLabelLength);
}

/** A DNS subdomain whose first label is `*` (RFC 1034 §4.3.3): hosts of an Ingress. */
export function wildcardDnsSubdomainProblems(value: string): Problems {
  return matchProblems(value, wildcardSubdomain, maximumSubdomainLength);
}

/** `name` or `prefix/name`: label and annotation keys, finalizers, resource names. */
export function qualifiedNameProblems(value: string): Problems {
  const parts = value.split("/");
  if (parts.length > 2)
    return [`a qualified name ${qualifiedName.message} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  const problems: string[] = [];
  if (parts.length === 2) {
    const prefix = parts[0] ?? "";
    if (prefix === "") problems.push("prefix part must be non-empty");
    else for (const message of dnsSubdomainProblems(prefix)) problems.push(`prefix part ${message}`);
  }
  const name = parts.at(-1) ?? "";
  if (name === "") problems.push("name part must be non-empty");
  else if (name.length > maximumLabelLength) problems.push(`name part ${tooLongMessage(maximumLabelLength)}`);
  if (!qualifiedName.expression.test(name)) problems.push(`name part ${qualifiedName.message}`);
  return problems.length === 0 ? none : problems;
}

export function labelValueProblems(value: string): Problems {
  return matchProblems(value, labelValue, maximumLabelLength);
}

/** A name that can be one segment of a URL's path: roles, bindings, and what a custom resource's name may not break. */
export function pathSegmentProblems(value: string): Problems {
  if (value === "." || value === "..") return [`may not be '${value}'`];
  const problems = ["/", "%"].filter((part) => value.includes(part)).map((part) => `may not contain '${part}'`);
  return problems.length === 0 ? none : problems;
}

/** The name of a port (`IANA_SVC_NAME`, RFC 6335 §5.1, lower case only). */
export function portNameProblems(value: string): Problems {
  const problems = [...lengthProblem(value, 15)];
  if (!/^[-a-z0-9]+$/.test(value)) problems.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (!/[a-z]/.test(value)) problems.push("must contain at least one letter (a-z)");
  if (value.includes("--")) problems.push("must not contain consecutive hyphens");
  if (value.startsWith("-") || value.endsWith("-")) problems.push("must not begin or end with a hyphen");
  return problems.length === 0 ? none : problems;
}

/** The name of an environment variable by the rule before 1.34 (its gate `RelaxedEnvironmentVariableValidation` off). */
function envVarNameProblems(value: string): Problems {
  return joined(envVarName.expression.test(value) ? none : [envVarName.message], directoryProblems(value));
}

/** The name of an environment variable where any printable ASCII but `=` is allowed (the default since 1.32). */
export function relaxedEnvVarNameProblems(value: string): Problems {
  if (value === "") return ["environment variable name must be non-empty"];
  if (/^[\x20-\x3c\x3e-\x7e]+$/.test(value)) return none;
  return ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

/** A key of a ConfigMap or Secret. */
export function configMapKeyProblems(value: string): Problems {
  return joined(matchProblems(value, configMapKey, maximumSubdomainLength), directoryProblems(value));
}

function cIdentifierProblems(value: string): Problems {
  return matchProblems(value, cIdentifier);
}

export function httpHeaderNameProblems(value: string): Problems {
  return matchProblems(value, httpHeaderName);
}

export function percentProblems(value: string): Problems {
  return matchProblems(value, percent);
}

export function portNumberProblems(value: number): Problems {
  return rangeProblems(value, 1, 65535);
}

/** Bounds are inclusive. */
export function rangeProblems(value: number, minimum: number, maximum: number): Problems {
  return value >= minimum && value <= maximum ? none : [`must be between ${minimum} and ${maximum}, inclusive`];
}

export const isDnsLabel = (value: string): string | undefined => dnsLabelProblems(value)[0];
export const isDnsSubdomain = (value: string): string | undefined => dnsSubdomainProblems(value)[0];
export const isDns1035Label = (value: string): string | undefined => dns1035LabelProblems(value)[0];
export const isWildcardDnsSubdomain = (value: string): string | undefined => wildcardDnsSubdomainProblems(value)[0];
export const isQualifiedName = (value: string): string | undefined => qualifiedNameProblems(value)[0];
export const isLabelValue = (value: string): string | undefined => labelValueProblems(value)[0];
export const isPathSegmentName = (value: string): string | undefined => pathSegmentProblems(value)[0];
export const isPortName = (value: string): string | undefined => portNameProblems(value)[0];
export const isEnvVarName = (value: string): string | undefined => envVarNameProblems(value)[0];
export const isRelaxedEnvVarName = (value: string): string | undefined => relaxedEnvVarNameProblems(value)[0];
export const isConfigMapKey = (value: string): string | undefined => configMapKeyProblems(value)[0];
export const isCIdentifier = (value: string): string | undefined => cIdentifierProblems(value)[0];
export const isHttpHeaderName = (value: string): string | undefined => httpHeaderNameProblems(value)[0];
export const isPortNumber = (value: number): string | undefined => portNumberProblems(value)[0];

function rule(expression: string, message: string, examples: readonly string[]): Rule {
  const quoted = examples.map((example) => `'${example}', `).join(" or ");
  return { expression: new RegExp(`^${expression}$`), message: `${message} (e.g. ${quoted}regex used for validation is '${expression}')` };
}

function matchProblems(value: string, { expression, message }: Rule, maximumLength = Number.POSITIVE_INFINITY): Problems {
  return joined(lengthProblem(value, maximumLength), expression.test(value) ? none : [message]);
}

function lengthProblem(value: string, maximum: number): Problems {
  return value.length > maximum ? [tooLongMessage(maximum)] : none;
}

function tooLongMessage(maximum: number): string {
  return `must be no more than ${maximum} characters`;
}

/** A key becomes a file's name in a volume, so it must not lead out of its directory. */
function directoryProblems(value: string): Problems {
  if (value === "." || value === "..") return [`must not be '${value}'`];
  return value.startsWith("..") ? ["must not start with '..'"] : none;
}

function joined(a: Problems, b: Problems): Problems {
  if (a.length === 0) return b;
  return b.length === 0 ? a : [...a, ...b];
}
