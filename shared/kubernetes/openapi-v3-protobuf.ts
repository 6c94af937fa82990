import { ProtobufWriter } from "./protobuf-writer.ts";
import { isJsonObject, type JsonObject } from "./schema/schema-node.ts";

/** Writes a value into a field of a message. */
type Put = (writer: ProtobufWriter, field: number, value: unknown) => void;
type Encode = (value: JsonObject) => ProtobufWriter;

const text: Put = (writer, field, value) => void writer.string(field, value as string);
const texts: Put = (writer, field, value) => void writer.strings(field, value as string[]);
const flag: Put = (writer, field, value) => void writer.bool(field, value === true);
const whole: Put = (writer, field, value) => void writer.integer(field, value as number);
const real: Put = (writer, field, value) => void writer.double(field, value as number);
/** An `Any`, whose YAML is JSON. */
const any = (value: unknown): ProtobufWriter => new ProtobufWriter().string(2, `${JSON.stringify(value)}\n`);
const anys: Put = (writer, field, value) => {
  for (const one of value as unknown[]) writer.message(field, any(one));
};
const one =
  (encode: Encode): Put =>
  (writer, field, value) =>
    void writer.message(field, encode(value as JsonObject));
const each =
  (encode: Encode): Put =>
  (writer, field, value) => {
    for (const item of value as JsonObject[]) writer.message(field, encode(item));
  };
/** The entries of an object, in a message of their own, each with its name. */
const entries =
  (encode: Encode, inner = 1): Put =>
  (writer, field, value) => {
    const all = new ProtobufWriter();
    for (const [name, entry] of Object.entries(value as JsonObject)) all.message(inner, named(name, encode(entry as JsonObject)));
    writer.message(field, all);
  };
const named = (name: string, value: ProtobufWriter): ProtobufWriter => new ProtobufWriter().string(1, name).message(2, value);

/** A message whose fields are those of a JSON object; what begins with `x-` goes into the field of extensions. */
const message =
  (fields: Readonly<Record<string, readonly [field: number, put: Put]>>, extensions?: number): Encode =>
  (value) => {
    const writer = new ProtobufWriter();
    for (const [name, [field, put]] of Object.entries(fields)) if (value[name] !== undefined) put(writer, field, value[name]);
    for (const [name, extension] of Object.entries(value))
      if (extensions !== undefined && name.startsWith("x-")) writer.message(extensions, named(name, any(extension)));
    return writer;
  };
const orReference =
  (encode: Encode): Encode =>
  (value) =>
    typeof value.$ref === "string"
      ? new ProtobufWriter().message(2, new ProtobufWriter().string(1, value.$ref))
      : new ProtobufWriter().message(1, encode(value));

const defaultValue: Put = (writer, field, value) => {
  const inner = new ProtobufWriter();
  if (typeof value === "number") inner.double(1, value, true);
  else if (typeof value === "boolean") inner.bool(2, value, true);
  else if (typeof value === "string") inner.strings(3, [value]);
  writer.message(field, inner);
};

const schema: Encode = (value) => schemaMessage(value);
const schemaOrReference = orReference(schema);
const additional: Put = (writer, field, value) =>
  void writer.message(
    field,
    isJsonObject(value) ? new ProtobufWriter().message(1, schemaOrReference(value)) : new ProtobufWriter().bool(2, value === true, true),
  );
const items: Put = (writer, field, value) =>
  void writer.message(field, new ProtobufWriter().message(1, schemaOrReference(value as JsonObject)));

const schemaMessage = message(
  {
    nullable: [1, flag],
    title: [9, text],
    multipleOf: [10, real],
    maximum: [11, real],
    exclusiveMaximum: [12, flag],
    minimum: [13, real],
    exclusiveMinimum: [14, flag],
    maxLength: [15, whole],
    minLength: [16, whole],
    pattern: [17, text],
    maxItems: [18, whole],
    minItems: [19, whole],
    uniqueItems: [20, flag],
    maxProperties: [21, whole],
    minProperties: [22, whole],
    required: [23, texts],
    enum: [24, anys],
    type: [25, text],
    allOf: [26, each(schemaOrReference)],
    oneOf: [27, each(schemaOrReference)],
    anyOf: [28, each(schemaOrReference)],
    not: [29, one(schema)],
    items: [30, items],
    properties: [31, entries(schemaOrReference)],
    additionalProperties: [32, additional],
    default: [33, defaultValue],
    description: [34, text],
    format: [35, text],
  },
  36,
);

const content = entries(message({ schema: [1, one(schemaOrReference)] }));
const parameter = orReference(
  message({ name: [1, text], in: [2, text], description: [3, text], required: [4, flag], schema: [10, one(schemaOrReference)] }, 14),
);
const response = orReference(message({ description: [1, text], content: [3, content] }));
const operation = message(
  {
    tags: [1, texts],
    description: [3, text],
    operationId: [5, text],
    parameters: [6, each(parameter)],
    requestBody: [7, one(orReference(message({ content: [2, content], required: [3, flag] })))],
    responses: [8, entries(response, 2)],
  },
  13,
);
const pathItem = message({
  get: [4, one(operation)],
  put: [5, one(operation)],
  post: [6, one(operation)],
  delete: [7, one(operation)],
  options: [8, one(operation)],
  head: [9, one(operation)],
  patch: [10, one(operation)],
  parameters: [13, each(parameter)],
});
const securityScheme = orReference(message({ type: [1, text], description: [2, text], name: [3, text], in: [4, text] }));
const document = message({
  openapi: [1, text],
  info: [2, one(message({ title: [1, text], version: [6, text] }))],
  paths: [4, entries(pathItem)],
  components: [5, one(message({ schemas: [1, entries(schemaOrReference)], securitySchemes: [7, entries(securityScheme)] }))],
});

/**
 * An OpenAPI v3 document as protocol buffers: `openapi.v3.Document` of gnostic-models (`openapiv3/OpenAPIv3.proto`, which the field
 * numbers here are from).
 */
export const encodeDocumentV3 = (json: JsonObject): Buffer => document(json).finish();
