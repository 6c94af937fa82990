import protobuf from "protobufjs/minimal.js";
import { expect, it } from "vitest";
import { decodeProtobuf } from "../../../../shared/kubernetes/protobuf/decode.ts";

type Writing = (writer: protobuf.Writer) => void;
const message = (write: Writing): Uint8Array => {
  const writer = protobuf.Writer.create();
  write(writer);
  return writer.finish();
};
const field =
  (number: number, value: string | Uint8Array): Writing =>
  (writer) => {
    writer.uint32((number << 3) | 2);
    if (typeof value === "string") writer.string(value);
    else writer.bytes(value);
  };
const all =
  (...parts: Writing[]): Writing =>
  (writer) => {
    for (const part of parts) part(writer);
  };
const envelope = (apiVersion: string, kind: string, raw: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from("k8s\0"), message(all(field(1, message(all(field(1, apiVersion), field(2, kind)))), field(2, raw)))]);

it("reads an object as the JSON it stands for and leaves out what Go's zero values stand for", () => {
  const metadata = message(all(field(1, "name"), field(2, ""), field(3, "ns"), field(11, message(all(field(1, "app"), field(2, "x"))))));
  const data = message(all(field(1, "k"), field(2, "v")));
  expect(decodeProtobuf(envelope("v1", "ConfigMap", message(all(field(1, metadata), field(2, data)))))).toEqual({
    kind: "ConfigMap",
    apiVersion: "v1",
    metadata: { name: "name", namespace: "ns", labels: { app: "x" } },
    data: { k: "v" },
  });
});

it("keeps the zero of a pointer: zero replicas were meant", () => {
  const spec = message((writer) => writer.uint32(1 << 3).int32(0));
  expect(decodeProtobuf(envelope("apps/v1", "Deployment", message(field(2, spec))))).toMatchObject({ spec: { replicas: 0 } });
});

it("spreads embedded structs, and reads times, quantities and numbers that may be strings", () => {
  const quantity = message(field(1, "100m"));
  const resources = message(field(2, message(all(field(1, "cpu"), field(2, quantity)))));
  const port = message((writer) =>
    writer
      .uint32(1 << 3)
      .int64(0)
      .uint32(2 << 3)
      .int32(8080),
  );
  const httpGet = message(all(field(1, "/ready"), field(2, port)));
  const probe = message(field(1, message(field(2, httpGet))));
  const container = message(all(field(1, "c"), field(8, resources), field(11, probe)));
  const volume = message(all(field(1, "v"), field(2, message(field(2, message(field(1, "")))))));
  const spec = message(all(field(1, volume), field(2, container)));
  const time = message((writer) =>
    writer
      .uint32(1 << 3)
      .int64(86400)
      .uint32(2 << 3)
      .int32(0),
  );
  const pod = message(all(field(1, message(field(8, time))), field(2, spec)));
  expect(decodeProtobuf(envelope("v1", "Pod", pod))).toMatchObject({
    metadata: { creationTimestamp: "1970-01-02T00:00:00Z" },
    spec: {
      containers: [{ name: "c", resources: { requests: { cpu: "100m" } }, readinessProbe: { httpGet: { path: "/ready", port: 8080 } } }],
      volumes: [{ name: "v", emptyDir: {} }],
    },
  });
});

it("refuses what is no such message, of no known kind, or cut off", () => {
  const whole = envelope("v1", "ConfigMap", message(field(1, message(field(1, "name")))));
  expect(decodeProtobuf(Buffer.from("{}"))).toBeUndefined();
  expect(decodeProtobuf(envelope("v1", "Nothing", new Uint8Array()))).toBeUndefined();
  expect(decodeProtobuf(whole.subarray(0, whole.length - 3))).toBeUndefined();
});
