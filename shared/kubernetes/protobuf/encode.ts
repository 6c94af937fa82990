import { once } from "../facts.ts";
import { type Field, messageOf, messages } from "./messages.ts";
import { ReverseWriter } from "./reverse-writer.ts";
import { shapeOf } from "./special-types.ts";

/** An object that says what it is. */
export interface Typed {
  readonly kind?: string;
  readonly apiVersion?: string;
}
type Value = Readonly<Record<string, unknown>>;
/** Writes one field of a message, if it is to be written, out of the JSON object. */
type WriteField = (writer: ReverseWriter, owner: Value) => void;
/** Writes a value without its tag and without a length. */
type WriteValue = (writer: ReverseWriter, value: unknown) => void;

/** JSON objects of the built-in kinds in protocol buffers, byte for byte as Kubernetes' generated code writes them. */
class ProtobufEncoder {
  readonly #writer = new ReverseWriter();
  readonly #compiled = new Map<string, readonly WriteField[]>();

  /** The object as its message, without an envelope. `undefined`: its kind has no message. */
  encode(object: Typed): Buffer | undefined {
    const { apiVersion = "", kind = "" } = object;
    const message = messageOf(apiVersion, kind);
    return message === undefined ? undefined : this.encodeMessage(message, object);
  }

  /** @param message its full name */
  encodeMessage(message: string, value: object): Buffer {
    this.#write(message, value);
    return this.#writer.finish();
  }

  #write(message: string, value: unknown): void {
    const owner = isObject(value) ? value : {};
    for (const write of this.#fieldsOf(message)) write(this.#writer, owner);
  }

  /** From the last field to the first. */
  #fieldsOf(message: string): readonly WriteField[] {
    const known = this.#compiled.get(message);
    if (known) return known;
    const fields = [...(messages().get(message)?.values() ?? [])].sort((a, b) => b.number - a.number);
    const made = fields.map((field) => this.#compile(field));
    this.#compiled.set(message, made);
    return made;
  }

  #compile(field: Field): WriteField {
    const { number, name, inline, repeated, mapOf, pointer, type } = field;
    if (mapOf !== undefined) return this.#compileMap(name, number, mapOf);
    const { wire, write, zero } = this.#valueOf(type);
    const tag = (number << 3) | wire;
    if (inline)
      return (writer, owner) => {
        write(writer, owner);
        writer.varint(tag);
      };
    if (repeated)
      return (writer, owner) => {
        const list = owner[name];
        if (!Array.isArray(list)) return;
        for (let index = list.length - 1; index >= 0; index--) {
          write(writer, list[index] ?? zero);
          writer.varint(tag);
        }
      };
    // Bytes are no pointer, and yet nil is not the same as empty.
    const optional = pointer || type === "bytes";
    return (writer, owner) => {
      const value = owner[name];
      if (value === undefined || value === null) {
        if (optional) return;
        write(writer, zero);
      } else write(writer, value);
      writer.varint(tag);
    };
  }

  /** Go writes maps in the order of their keys. */
  #compileMap(name: string, number: number, mapOf: string): WriteField {
    const { write, zero, wire } = this.#valueOf(mapOf);
    const tag = (number << 3) | 2;
    return (writer, owner) => {
      const map = owner[name];
      if (!isObject(map)) return;
      const keys = Object.keys(map).sort();
      for (let index = keys.length - 1; index >= 0; index--) {
        const key = keys[index] ?? "";
        const end = writer.length;
        write(writer, map[key] ?? zero);
        writer.varint((2 << 3) | wire);
        writeText(writer, key);
        writer.varint((1 << 3) | 2);
        writer.varint(writer.length - end);
        writer.varint(tag);
      }
    };
  }

  #valueOf(type: string): { readonly wire: number; readonly write: WriteValue; readonly zero: unknown } {
    switch (type) {
      case "string":
        return { wire: 2, write: writeText, zero: "" };
      case "int32":
      case "int64":
        return { wire: 0, write: (writer, value) => writer.varint(numberOf(value)), zero: 0 };
      case "bool":
        return { wire: 0, write: (writer, value) => writer.varint(value === true ? 1 : 0), zero: false };
      case "double":
        return { wire: 1, write: (writer, value) => writer.double(numberOf(value)), zero: 0 };
      case "bytes":
        return { wire: 2, write: writeBytes, zero: "" };
      default: {
        const shape = shapeOf(type);
        const write: WriteValue = (_, value) => {
          const fields = shape ? shape(value) : value;
          if (!shape || fields !== undefined) this.#write(type, fields);
        };
        return { wire: 2, write: delimited(write), zero: undefined };
      }
    }
  }
}

/** One for all: what it compiled is worth keeping, and it keeps nothing else. */
export const protobufEncoder = once(() => new ProtobufEncoder());

const isObject = (value: unknown): value is Value => typeof value === "object" && value !== null && !Array.isArray(value);
const numberOf = (value: unknown): number => (typeof value === "number" ? value : 0);

function writeText(writer: ReverseWriter, value: unknown): void {
  const end = writer.length;
  if (typeof value === "string") writer.text(value);
  writer.varint(writer.length - end);
}

/** JSON holds bytes as base64. */
function writeBytes(writer: ReverseWriter, value: unknown): void {
  const bytes = typeof value === "string" ? Buffer.from(value, "base64") : value instanceof Uint8Array ? value : undefined;
  if (bytes) writer.bytes(bytes);
  writer.varint(bytes?.length ?? 0);
}

const delimited =
  (write: WriteValue): WriteValue =>
  (writer, value) => {
    const end = writer.length;
    write(writer, value);
    writer.varint(writer.length - end);
  };
