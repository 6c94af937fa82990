import { describe, expect, it } from "vitest";
import { decodeProtobuf } from "../../../../shared/kubernetes/protobuf/decode.ts";
import { protobufDocument } from "../../../../shared/kubernetes/protobuf/envelope.ts";
import { readRecorded } from "./recorded.ts";

const { objects, answers } = readRecorded();
const single = [...objects, ...answers.filter(({ json }) => !("items" in json) || json.kind === "APIGroupDiscoveryList")];

describe("objects in protobuf", () => {
  it("are recorded of every kind that a new cluster can hold", () => expect(objects).toHaveLength(50));

  it.each(single.map((each) => [each.json.kind, each] as const))(
    "are written as kube-apiserver writes them: %s",
    (_, { json, protobuf }) => {
      expect(protobufDocument(json)?.toString("base64")).toBe(protobuf);
    },
  );

  it("keep what they say through writing and reading", () => {
    const pod = {
      kind: "Pod",
      apiVersion: "v1",
      metadata: { name: "é-😀", labels: { b: "2", a: "1" }, deletionGracePeriodSeconds: 0, generation: 2 ** 40 },
      spec: {
        containers: [
          { name: "c", resources: { limits: { cpu: "100m" } }, livenessProbe: { httpGet: { port: "web", path: "/" }, timeoutSeconds: -1 } },
        ],
        volumes: [{ name: "v", configMap: { name: "x", optional: false, defaultMode: 0o644 } }],
        priority: -2147483648,
      },
    };
    const written = protobufDocument(pod);
    expect(written && decodeProtobuf(written)).toMatchObject(pod);
  });

  it("are written one after another by one writer, large ones too", () => {
    const configMap = (size: number) => ({ kind: "ConfigMap", apiVersion: "v1", metadata: { name: "x" }, data: { k: "é".repeat(size) } });
    for (const size of [100_000, 1, 0, 300_000]) {
      const written = protobufDocument(configMap(size));
      expect(written && decodeProtobuf(written)).toMatchObject(size === 0 ? { metadata: { name: "x" } } : configMap(size));
    }
  });

  it("do not exist of kinds without a message", () => {
    expect(protobufDocument({ kind: "Table", apiVersion: "meta.k8s.io/v1" })).toBeUndefined();
    expect(protobufDocument({ kind: "Foo", apiVersion: "example.com/v1" })).toBeUndefined();
  });
});
