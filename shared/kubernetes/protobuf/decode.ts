import protobuf from "protobufjs/minimal.js";
import { isJsonObject } from "../schema/schema-node.ts";
import { magic, messageOf, messages } from "./messages.ts";
import { readSpecial } from "./special-types.ts";

const maxDepth = 100;

/**
 * A body in `application/vnd.kubernetes.protobuf`, as the JSON value it stands for: `k8s\0` and a `runtime.Unknown` around the object
 * (k8s.io/apimachinery/pkg/runtime/serializer/protobuf). `undefined` for bytes that are no such thing, or of a kind that is not built in.
 */
export function decodeProtobuf(body: Buffer): Record<string, unknown> | undefined {
  if (body.length < magic.length || body.compare(magic, 0, magic.length, 0, magic.length) !== 0) return undefined;
  try {
    const envelope = readMessage(protobuf.Reader.create(body.subarray(magic.length)), "k8s.io.apimachinery.pkg.runtime.Unknown", 0);
    const { typeMeta, raw } = envelope;
    const { apiVersion, kind } = isJsonObject(typeMeta) ? typeMeta : {};
    if (typeof apiVersion !== "string" || typeof kind !== "string") return undefined;
    const message = messageOf(apiVersion, kind);
    if (message === undefined) return undefined;
    const bytes = typeof raw === "string" ? Buffer.from(raw, "base64") : Buffer.alloc(0);
    return { kind, apiVersion, ...readMessage(protobuf.Reader.create(bytes), message, 0) };
  } catch {
    return undefined;
  }
}

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
      const known = value[field.name];
      const map = isJsonObject(known) ? known : {};
      map[key] = entry;
      value[field.name] = map;
    } else if (field.repeated) {
      const list = Array.isArray(value[field.name]) ? (value[field.name] as unknown[]) : [];
      list.push(readValue(reader, field.type, depth));
      value[field.name] = list;
    } else {
      const read = readValue(reader, field.type, depth);
      if (field.inline && isJsonObject(read)) Object.assign(value, read);
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
