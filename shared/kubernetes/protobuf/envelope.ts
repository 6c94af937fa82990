import { protobufEncoder, type Typed } from "./encode.ts";
import { magic } from "./messages.ts";
import { ReverseWriter } from "./reverse-writer.ts";

const field = (number: number): number => (number << 3) | 2;
/** `contentEncoding` and `contentType` of the envelope: empty, and written. */
const envelopeEnd = Buffer.from([field(3), 0, field(4), 0]);

/**
 * What stands before and behind the message of an object of this kind, `length` bytes long, where it goes out: `k8s\0` and a `runtime.Unknown`
 * around it.
 */
export function envelope(apiVersion: string, kind: string, length: number): readonly [start: Buffer, end: Buffer] {
  const writer = new ReverseWriter(kind.length + apiVersion.length + 32);
  writer.varint(length);
  writer.varint(field(2));
  const end = writer.length;
  writeText(writer, 2, kind);
  writeText(writer, 1, apiVersion);
  writer.varint(writer.length - end);
  writer.varint(field(1));
  writer.bytes(magic);
  return [writer.finish(), envelopeEnd];
}

/** A whole object as it goes out. `undefined`: its kind has no message. */
export function protobufDocument(object: Typed): Buffer | undefined {
  const message = protobufEncoder().encode(object);
  if (!message) return undefined;
  const [start, end] = envelope(object.apiVersion ?? "", object.kind ?? "", message.length);
  return Buffer.concat([start, message, end]);
}

/** The tag and the length that stand before a field of `length` bytes. */
export function fieldStart(number: number, length: number): Buffer {
  const writer = new ReverseWriter(16);
  writer.varint(length);
  writer.varint(field(number));
  return writer.finish();
}

/**
 * An event of a watch: four bytes that say how long it is (big endian), then a `WatchEvent` whose object is in an envelope of its own
 * (k8s.io/apimachinery/pkg/util/framer).
 */
export function eventFrame(type: string, apiVersion: string, kind: string, message: Buffer): Buffer {
  const [start, end] = envelope(apiVersion, kind, message.length);
  const object = start.length + message.length + end.length;
  const raw = fieldStart(1, object);
  const extension = fieldStart(2, raw.length + object);
  const head = new ReverseWriter(32);
  writeText(head, 1, type);
  const about = head.finish();
  const size = Buffer.alloc(4);
  size.writeUInt32BE(about.length + extension.length + raw.length + object);
  return Buffer.concat([size, about, extension, raw, start, message, end]);
}

function writeText(writer: ReverseWriter, number: number, text: string): void {
  const end = writer.length;
  writer.text(text);
  writer.varint(writer.length - end);
  writer.varint(field(number));
}
