import type { DocumentV2, OperationV2, ParameterV2, PathItemV2, SchemaV2 } from "./openapi-v2.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";

/** The field of `PathItem` for each method. */
const methodFields = [
  ["get", 2],
  ["put", 3],
  ["post", 4],
  ["delete", 5],
  ["options", 6],
  ["head", 7],
  ["patch", 8],
] as const;

/**
 * An OpenAPI v2 document as protocol buffers: `openapi.v2.Document` of gnostic-models (`openapiv2/OpenAPIv2.proto`, which the field
 * numbers here are from).
 */
export function encodeDocumentV2({ swagger, info, paths, definitions, security, securityDefinitions }: DocumentV2): Buffer {
  const pathsMessage = new ProtobufWriter();
  for (const [path, item] of Object.entries(paths)) pathsMessage.message(2, named(path, pathItem(item)));
  const definitionsMessage = new ProtobufWriter();
  for (const [name, definition] of Object.entries(definitions)) definitionsMessage.message(1, named(name, schema(definition)));
  const writer = new ProtobufWriter()
    .string(1, swagger)
    .message(2, new ProtobufWriter().string(1, info.title).string(2, info.version))
    .message(8, pathsMessage)
    .message(9, definitionsMessage);
  for (const requirement of security) {
    const entries = new ProtobufWriter();
    for (const [name, scopes] of Object.entries(requirement)) entries.message(1, named(name, new ProtobufWriter().strings(1, scopes)));
    writer.message(12, entries);
  }
  const schemes = new ProtobufWriter();
  for (const [name, { type, name: header, in: place, description }] of Object.entries(securityDefinitions)) {
    const apiKey = new ProtobufWriter().string(1, type).string(2, header).string(3, place).string(4, description);
    schemes.message(1, named(name, new ProtobufWriter().message(2, apiKey)));
  }
  return writer.message(13, schemes).finish();
}

function named(name: string, value: ProtobufWriter): ProtobufWriter {
  return new ProtobufWriter().string(1, name).message(2, value);
}

function pathItem(item: PathItemV2): ProtobufWriter {
  const writer = new ProtobufWriter();
  for (const [method, field] of methodFields) {
    const given = item[method];
    if (given) writer.message(field, operation(given));
  }
  for (const each of item.parameters ?? []) writer.message(9, parameter(each));
  return writer;
}

function operation(given: OperationV2): ProtobufWriter {
  const writer = new ProtobufWriter()
    .strings(1, given.tags)
    .string(3, given.description)
    .string(5, given.operationId)
    .strings(6, given.produces)
    .strings(7, given.consumes);
  for (const each of given.parameters ?? []) writer.message(8, parameter(each));
  const responses = new ProtobufWriter();
  for (const [code, { description, schema: body }] of Object.entries(given.responses)) {
    const response = new ProtobufWriter().string(1, description);
    if (body) response.message(2, new ProtobufWriter().message(1, schema(body)));
    responses.message(1, named(code, new ProtobufWriter().message(1, response)));
  }
  return extensions(writer.message(9, responses).strings(10, given.schemes), 13, given);
}

/** A `ParametersItem`, wrapped as deep as the union of the kinds of parameters is. */
function parameter(given: ParameterV2): ProtobufWriter {
  const wrap = (field: number, inner: ProtobufWriter) => new ProtobufWriter().message(1, new ProtobufWriter().message(field, inner));
  const { name, in: place, required } = given;
  if (given.in === "body")
    return wrap(1, new ProtobufWriter().string(2, name).string(3, place).bool(4, required).message(5, schema(given.schema)));
  const own = new ProtobufWriter().bool(1, required).string(2, place).string(4, name);
  if (given.in === "query") return wrap(2, new ProtobufWriter().message(3, own.string(6, given.type).bool(20, given.uniqueItems)));
  return wrap(2, new ProtobufWriter().message(4, own.string(5, given.type).bool(19, given.uniqueItems)));
}

function schema(given: SchemaV2): ProtobufWriter {
  const writer = new ProtobufWriter()
    .string(1, given.$ref)
    .string(2, given.format)
    .string(4, given.description)
    .strings(19, given.required);
  const { additionalProperties, type, items, properties } = given;
  if (typeof additionalProperties === "object") writer.message(21, new ProtobufWriter().message(1, schema(additionalProperties)));
  else if (additionalProperties) writer.message(21, new ProtobufWriter().bool(2, true));
  if (type !== undefined) writer.message(22, new ProtobufWriter().strings(1, [type]));
  if (items) writer.message(23, new ProtobufWriter().message(1, schema(items)));
  if (properties) {
    const entries = new ProtobufWriter();
    for (const [name, property] of Object.entries(properties)) entries.message(1, named(name, schema(property)));
    writer.message(25, entries);
  }
  return extensions(writer, 31, given);
}

/** `x-…` fields, each as an `Any` whose YAML is JSON. */
function extensions(writer: ProtobufWriter, field: number, given: object): ProtobufWriter {
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("x-")) writer.message(field, named(name, new ProtobufWriter().string(2, `${JSON.stringify(value)}\n`)));
  }
  return writer;
}
