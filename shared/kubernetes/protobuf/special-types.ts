import { definitions, meta } from "./messages.ts";

const number = (value: unknown): number => (typeof value === "number" ? value : 0);
const json = (raw: unknown): unknown => (typeof raw === "string" ? JSON.parse(Buffer.from(raw, "base64").toString("utf8")) : null);

/** The JSON of a message that is not simply an object of its fields. */
export function readSpecial(type: string, value: Record<string, unknown>): unknown {
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
    case `${definitions}JSON`:
    case `${meta}FieldsV1`:
      return json(value.raw);
    case `${definitions}JSONSchemaPropsOrArray`:
      return value.jSONSchemas ?? value.schema;
    case `${definitions}JSONSchemaPropsOrBool`:
      return value.schema ?? value.allows === true;
    case `${definitions}JSONSchemaPropsOrStringArray`:
      return value.property ?? value.schema;
    default:
      return isItems(type) ? (value.items ?? []) : value;
  }
}

const microTime = (seconds: number, nanos: number): string =>
  `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(Math.floor(nanos / 1000)).padStart(6, "0")}Z`;

/** What a message of such a type is made of, from its JSON. `undefined`: the message is empty. */
type Shape = (value: unknown) => Readonly<Record<string, unknown>> | undefined;

/** `undefined`: a message of this type is simply an object of its fields. */
export function shapeOf(type: string): Shape | undefined {
  switch (type) {
    case "k8s.io.apimachinery.pkg.api.resource.Quantity":
      return (value) => ({ string: value ?? "0" });
    case "k8s.io.apimachinery.pkg.util.intstr.IntOrString":
      return (value) => (typeof value === "string" ? { type: 1, strVal: value } : { intVal: value });
    case `${meta}Time`:
      return (value) => timeOf(value, false);
    case `${meta}MicroTime`:
      return (value) => timeOf(value, true);
    case "k8s.io.apimachinery.pkg.runtime.RawExtension":
    case `${definitions}JSON`:
    case `${meta}FieldsV1`:
      return (value) => (value === undefined || value === null ? undefined : { raw: Buffer.from(JSON.stringify(value)) });
    case `${definitions}JSONSchemaPropsOrArray`:
      return (value) => (Array.isArray(value) ? { jSONSchemas: value } : { schema: value });
    case `${definitions}JSONSchemaPropsOrBool`:
      return (value) => (typeof value === "boolean" ? { allows: value } : { allows: true, schema: value });
    case `${definitions}JSONSchemaPropsOrStringArray`:
      return (value) => (Array.isArray(value) ? { property: value } : { schema: value });
    default:
      return isItems(type) ? (items) => ({ items }) : undefined;
  }
}

/** Go types that are lists. */
const isItems = (type: string): boolean => type.endsWith(".ExtraValue") || type === `${meta}Verbs`;

function timeOf(value: unknown, micro: boolean): { readonly seconds: number; readonly nanos: number } | undefined {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms)) return undefined;
  const fraction = micro ? /\.(\d{1,6})/.exec(String(value))?.[1] : undefined;
  return { seconds: Math.floor(ms / 1000), nanos: fraction === undefined ? 0 : Number(fraction.padEnd(6, "0")) * 1000 };
}
