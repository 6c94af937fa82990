import { dns1035LabelProblems, dnsLabelProblems, dnsSubdomainProblems, labelValueProblems, qualifiedNameProblems } from "../../names.ts";
import { type Overload, overload } from "../overload.ts";
import { opaqueType } from "../type.ts";
import { ArrayList, Failure, none, OpaqueValue, OptionalValue } from "../value.ts";
import { parseTimestampText } from "./time-text.ts";
import { urlProblem } from "./urls.ts";

type Check = (text: string) => readonly string[];

const formatType = opaqueType("kubernetes.NamedFormat");
const uuid = /^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$/;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** A prefix may end in a dash: what `generateName` takes. */
const asPrefix =
  (check: Check): Check =>
  (text) =>
    check(text.endsWith("-") ? `${text.slice(0, -1)}a` : text);
const says =
  (holds: (text: string) => boolean, problem: string): Check =>
  (text) =>
    holds(text) ? [] : [problem];

const formats: Readonly<Record<string, { readonly name: string; readonly check: Check }>> = {
  dns1123Label: { name: "DNS1123Label", check: dnsLabelProblems },
  dns1123Subdomain: { name: "DNS1123Subdomain", check: dnsSubdomainProblems },
  dns1035Label: { name: "DNS1035Label", check: dns1035LabelProblems },
  qualifiedName: { name: "QualifiedName", check: qualifiedNameProblems },
  dns1123LabelPrefix: { name: "DNS1123LabelPrefix", check: asPrefix(dnsLabelProblems) },
  dns1123SubdomainPrefix: { name: "DNS1123SubdomainPrefix", check: asPrefix(dnsSubdomainProblems) },
  dns1035LabelPrefix: { name: "DNS1035LabelPrefix", check: asPrefix(dns1035LabelProblems) },
  labelValue: { name: "LabelValue", check: labelValueProblems },
  uri: {
    name: "URI",
    check: (text) => {
      const problem = urlProblem(text);
      return problem === undefined ? [] : [problem];
    },
  },
  uuid: { name: "uuid", check: says((text) => uuid.test(text), "does not match the UUID format") },
  byte: { name: "byte", check: says((text) => base64.test(text), "invalid base64") },
  date: { name: "date", check: says((text) => parseTimestampText(`${text}T00:00:00Z`) !== undefined, "invalid date") },
  datetime: { name: "datetime", check: says((text) => parseTimestampText(text) !== undefined, "invalid datetime") },
};

const formatValue = (key: string): OpaqueValue<Check> | undefined => {
  const found = Object.hasOwn(formats, key) ? formats[key] : undefined;
  return found && new OpaqueValue(formatType, found.check, found.name);
};

/** Formats of names and values (apiserver `cel/library/format.go`). */
export const formatLibrary: readonly Overload[] = [
  ...Object.keys(formats).map((key) =>
    overload(`format.${key}`, `format.${key}(): kubernetes.NamedFormat`, () => formatValue(key) ?? new Failure("no such format")),
  ),
  overload("format-named", "format.named(string): optional_type(kubernetes.NamedFormat)", ([name]) => {
    const found = formatValue(name as string);
    return found ? new OptionalValue(found) : none;
  }),
  overload("format-validate", "(kubernetes.NamedFormat).validate(string): optional_type(list(string))", ([format, text]) => {
    const problems = (format as OpaqueValue<Check>).content(text as string);
    return problems.length === 0 ? none : new OptionalValue(new ArrayList([...problems]));
  }),
];
