import { z } from "zod";
import { once, readFacts } from "../facts.ts";

/** The media type of the API's binary form. */
export const protobufMediaType = "application/vnd.kubernetes.protobuf";

/** What every body in that form begins with (k8s.io/apimachinery/pkg/runtime/serializer/protobuf). */
export const magic = Buffer.from("k8s\0");

/** One field of a message, in both worlds. */
export interface Field {
  readonly number: number;
  /** How it is called in JSON. */
  readonly name: string;
  /** A message's full name, a scalar, or `map`. */
  readonly type: string;
  /** The type of the values of a map<string, …>. */
  readonly mapOf: string | undefined;
  readonly repeated: boolean;
  /** An embedded Go struct: its fields stand in the parent's JSON object. */
  readonly inline: boolean;
  /** A Go pointer: absent unless somebody set it. Every other field is written always, empty or not. */
  readonly pointer: boolean;
  /** An empty value that was read was meant, where JSON leaves other empty values out. */
  readonly keepsEmpty: boolean;
}
/** Fields by number. */
export type Message = ReadonlyMap<number, Field>;

const goTypesShape = z.record(z.string(), z.record(z.string(), z.string()));
const factsShape = z.record(z.string(), z.array(z.tuple([z.number(), z.string(), z.string(), z.string()])));

const inlined = new Set([
  "localObjectReference",
  "ephemeralContainerCommon",
  "persistentVolumeSource",
  "handler",
  "volumeSource",
  "ingressRuleValue",
  "rule",
  "ruleWithOperations",
]);
const inlineOwners =
  /\.(ConfigMapEnvSource|ConfigMapKeySelector|ConfigMapProjection|ConfigMapVolumeSource|EphemeralContainer|PersistentVolumeSpec|Probe|SecretEnvSource|SecretKeySelector|SecretProjection|Volume|IngressRule|RuleWithOperations|NamedRuleWithOperations)$/;
const renamed: Readonly<Record<string, string>> = { uID: "uid", aPIGroup: "apiGroup" };
export const meta = "k8s.io.apimachinery.pkg.apis.meta.v1.";
export const definitions = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.";

const scalars = new Set(["string", "int32", "int64", "bool", "bytes", "double"]);

/** How a field is called in JSON. Only the fields whose names Go tags differ are told here. */
function jsonName(message: string, name: string, types: Readonly<Record<string, string>>): string {
  if (name in types) return name;
  if (message === `${definitions}JSONSchemaProps`) {
    if (name === "schema" || name === "ref") return `$${name}`;
    if (name.startsWith("xKubernetes")) return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  }
  return renamed[name] ?? name.slice(0, 1).toLowerCase() + name.slice(1);
}

/** The same type as the OpenAPI schemas call it. */
const schemaName = (message: string): string =>
  message
    .replace(/^k8s\.io\.apiextensions_apiserver/, "io.k8s.apiextensions-apiserver")
    .replace(/^k8s\.io\.kube_aggregator/, "io.k8s.kube-aggregator")
    .replace(/^k8s\.io\./, "io.k8s.");

/** Every message of the built-in kinds by its full name. */
export const messages = once((): ReadonlyMap<string, Message> => {
  const found = new Map<string, Message>();
  const goTypes = goTypesShape.parse(readFacts("go-types"));
  const facts = Object.entries(factsShape.parse(readFacts("protobuf")));
  const resolve = (message: string, type: string): string =>
    type.startsWith(".") ? type.slice(1) : scalars.has(type) ? type : message.slice(0, message.lastIndexOf(".") + 1) + type;
  const isInline = (message: string, name: string): boolean => inlined.has(name) && inlineOwners.test(message);
  // What is embedded is no schema of its own: its fields are told with those of its owner.
  const owners = new Map<string, string>();
  for (const [message, fields] of facts)
    for (const [, name, type] of fields) if (isInline(message, name)) owners.set(resolve(message, type), message);
  for (const [message, fields] of facts) {
    const types = goTypes[schemaName(message)] ?? goTypes[schemaName(owners.get(message) ?? "")] ?? {};
    const rows = fields.map(([number, name, type, label]): [number, Field] => {
      const mapOf = /^map<string,(.+)>$/.exec(type)?.[1];
      const own = jsonName(message, name, types);
      const goType = types[own] ?? "?";
      const field = {
        ...{ number, name: own, type: mapOf ? "map" : resolve(message, type), mapOf: mapOf && resolve(message, mapOf) },
        ...{ repeated: label === "repeated", inline: isInline(message, name), pointer: /^\??\*/.test(goType) },
        keepsEmpty: !goType.startsWith("?") || goType.startsWith("?*"),
      };
      return [number, field];
    });
    found.set(message, new Map(rows));
  }
  return found;
});

/** The message of a kind. `undefined`: it has none, as custom resources and tables have. */
export function messageOf(apiVersion: string, kind: string): string | undefined {
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "core" : (apiVersion.slice(0, slash).split(".")[0] ?? "");
  const version = apiVersion.slice(slash + 1);
  const candidates = [
    `k8s.io.api.${group}.${version}.${kind}`,
    `k8s.io.apiextensions_apiserver.pkg.apis.${group}.${version}.${kind}`,
    `k8s.io.kube_aggregator.pkg.apis.${group}.${version}.${kind}`,
    meta + kind,
  ];
  return candidates.find((name) => messages().has(name));
}
