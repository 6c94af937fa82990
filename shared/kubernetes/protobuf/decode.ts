import protobuf from "protobufjs/minimal.js";
import { z } from "zod";
import { once, readFacts } from "../facts.ts";

/** The media type of the API's binary form. */
export const protobufMediaType = "application/vnd.kubernetes.protobuf";

const magic = Buffer.from([0x6b, 0x38, 0x73, 0x00]);
const maxDepth = 100;

interface Field {
  readonly name: string;
  readonly type: string;
  /** The type of the values of a map<string, …>. */
  readonly mapOf: string | undefined;
  readonly repeated: boolean;
  /** An embedded Go struct: its fields stand in the parent's JSON object. */
  readonly inline: boolean;
  /**
   * Protobuf writes every field that is no pointer in Go, empty or not, where JSON leaves it out. Of a pointer, or of a field that JSON always
   * shows, an empty value was meant.
   */
  readonly keepsEmpty: boolean;
}
type Message = ReadonlyMap<number, Field>;

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
const meta = "k8s.io.apimachinery.pkg.apis.meta.v1.";
const crd = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.";

/** How a field is called in JSON. Only the fields whose names Go tags differ are told here. */
function jsonName(message: string, name: string): string {
  if (message === `${crd}JSONSchemaProps`) {
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

const messages = once((): ReadonlyMap<string, Message> => {
  const found = new Map<string, Message>();
  const goTypes = goTypesShape.parse(readFacts("go-types"));
  for (const [message, fields] of Object.entries(factsShape.parse(readFacts("protobuf")))) {
    const scope = message.slice(0, message.lastIndexOf(".") + 1);
    const resolve = (type: string): string => (type.startsWith(".") ? type.slice(1) : scalars.has(type) ? type : scope + type);
    const rows = fields.map(([number, name, type, label]): [number, Field] => {
      const mapOf = /^map<string,(.+)>$/.exec(type)?.[1];
      const inline = inlined.has(name) && inlineOwners.test(message);
      const own = jsonName(message, name);
      const goType = goTypes[schemaName(message)]?.[own] ?? "?";
      const keepsEmpty = !goType.startsWith("?") || goType.startsWith("?*");
      const types = { type: mapOf ? "map" : resolve(type), mapOf: mapOf && resolve(mapOf) };
      return [number, { name: own, ...types, repeated: label === "repeated", inline, keepsEmpty }];
    });
    found.set(message, new Map(rows));
  }
  return found;
});

const scalars = new Set(["string", "int32", "int64", "bool", "bytes", "double"]);

/**
 * A body in `application/vnd.kubernetes.protobuf`, as the JSON value it stands for: `k8s\0` and a `runtime.Unknown` around the object
 * (k8s.io/apimachinery/pkg/runtime/serializer/protobuf). `undefined` for bytes that are no such thing, or of a kind that is not built in.
 */
export function decodeProtobuf(body: Buffer): Record<string, unknown> | undefined {
  if (body.length < magic.length || body.compare(magic, 0, magic.length, 0, magic.length) !== 0) return undefined;
  try {
    const envelope = readMessage(protobuf.Reader.create(body.subarray(magic.length)), "k8s.io.apimachinery.pkg.runtime.Unknown", 0);
    const { typeMeta, raw } = envelope;
    const { apiVersion, kind } = isRecord(typeMeta) ? typeMeta : {};
    if (typeof apiVersion !== "string" || typeof kind !== "string") return undefined;
    const message = messageOf(apiVersion, kind);
    if (message === undefined) return undefined;
    const bytes = typeof raw === "string" ? Buffer.from(raw, "base64") : Buffer.alloc(0);
    return { kind, apiVersion, ...readMessage(protobuf.Reader.create(bytes), message, 0) };
  } catch {
    return undefined;
  }
}

function messageOf(apiVersion: string, kind: string): string | undefined {
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

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

function readMessage(reader: protobuf.Reader, type: string, depth: number): Record<string, unknown> {
  if (depth > maxDepth) throw new Error("too deep");
  const fields = messages().get(type);
  const value: Record<string, unknown> = {};
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const field = fields?.get(tag >>> 3);
    if (!field) {
      reader.skipType(tag & 7);
      continue;
    }
    if (field.mapOf !== undefined) {
      const [key, entry] = readEntry(reader, field.mapOf, depth);
      const map = isRecord(value[field.name]) ? (value[field.name] as Record<string, unknown>) : {};
      map[key] = entry;
      value[field.name] = map;
    } else if (field.repeated) {
      const list = Array.isArray(value[field.name]) ? (value[field.name] as unknown[]) : [];
      list.push(readValue(reader, field.type, depth));
      value[field.name] = list;
    } else {
      const read = readValue(reader, field.type, depth);
      if (field.inline && isRecord(read)) Object.assign(value, read);
      else if (!isEmpty(read) || field.keepsEmpty) value[field.name] = read;
    }
  }
  return value;
}

const isEmpty = (value: unknown): boolean => value === undefined || value === null || value === "" || value === 0 || value === false;

function readEntry(reader: protobuf.Reader, type: string, depth: number): [string, unknown] {
  const end = reader.uint32() + reader.pos;
  let key = "";
  let value: unknown = type === "string" || type === "bytes" ? "" : {};
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) key = reader.string();
    else if (tag >>> 3 === 2) value = readValue(reader, type, depth);
    else reader.skipType(tag & 7);
  }
  return [key, value];
}

function readValue(reader: protobuf.Reader, type: string, depth: number): unknown {
  switch (type) {
    case "string":
      return reader.string();
    case "int32":
      return reader.int32();
    case "int64": {
      const number = reader.int64();
      return typeof number === "number" ? number : Number(number.toString());
    }
    case "bool":
      return reader.bool();
    case "double":
      return reader.double();
    case "bytes":
      return Buffer.from(reader.bytes()).toString("base64");
    default:
      return readSpecial(type, readMessage(protobuf.Reader.create(reader.bytes()), type, depth + 1));
  }
}

const number = (value: unknown): number => (typeof value === "number" ? value : 0);
const json = (raw: unknown): unknown => (typeof raw === "string" ? JSON.parse(Buffer.from(raw, "base64").toString("utf8")) : null);

/** Types whose JSON is not an object of their fields. */
function readSpecial(type: string, value: Record<string, unknown>): unknown {
  switch (type) {
    case "k8s.io.apimachinery.pkg.api.resource.Quantity":
      return value.string ?? "0";
    case "k8s.io.apimachinery.pkg.util.intstr.IntOrString":
      return number(value.type) === 1 ? (value.strVal ?? "") : number(value.intVal);
    case `${meta}Time`:
      return value.seconds === undefined ? null : new Date(number(value.seconds) * 1000).toISOString().replace(".000Z", "Z");
    case `${meta}MicroTime`:
      return value.seconds === undefined ? null : microTime(number(value.seconds), number(value.nanos));
    case "k8s.io.apimachinery.pkg.runtime.RawExtension":
    case `${crd}JSON`:
    case `${meta}FieldsV1`:
      return json(value.raw);
    case `${crd}JSONSchemaPropsOrArray`:
      return value.jSONSchemas ?? value.schema;
    case `${crd}JSONSchemaPropsOrBool`:
      return value.schema ?? value.allows === true;
    case `${crd}JSONSchemaPropsOrStringArray`:
      return value.property ?? value.schema;
    default:
      return type.endsWith(".ExtraValue") ? (value.items ?? []) : value;
  }
}

const microTime = (seconds: number, nanos: number): string =>
  `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(Math.floor(nanos / 1000)).padStart(6, "0")}Z`;
