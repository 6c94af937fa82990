import { describe, expect, it } from "vitest";
import { type Answers, negotiate, negotiateError } from "../../../shared/api/negotiation.ts";

const json = "application/json";
const yaml = "application/yaml";
const protobuf = "application/vnd.kubernetes.protobuf";
const table = ";as=Table;g=meta.k8s.io;v=v1";
const metadata = ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

const asking = (accept: string | undefined, query = "", userAgent = "test/1", custom = false) => ({
  request: { header: (name: string) => (name === "accept" ? accept : name === "user-agent" ? userAgent : undefined) },
  info: { query: new URLSearchParams(query) },
  definition: custom ? { custom: {} } : {},
});
const chosen = (accept: string | undefined, answers?: Answers, custom = false): string => {
  try {
    const { form, encoding } = negotiate(asking(accept, "", "test/1", custom), answers);
    return form.kind === "object" ? encoding : `${encoding} ${form.kind}`;
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
};
const types = `${json}, ${yaml}, ${protobuf}`;
const refused = `only the following media types are accepted: ${types}`;

describe("the form of an answer", () => {
  it.each([
    [undefined, "json"],
    ["*/*", "json"],
    [protobuf, "protobuf"],
    [`${protobuf},${json}`, "protobuf"],
    [`${protobuf};q=0.5,${json}`, "json"],
    [`${json};q=0.5,${protobuf};q=0.6,${yaml};q=0.7`, "yaml"],
    ["application/cbor,application/json", "json"],
    [`${protobuf}${table},${json}${table},${json}`, "json table"],
    [`${protobuf}${table}`, refused],
    [`${protobuf}${metadata},${json}`, "protobuf metadata"],
    [`${json};as=Foo;g=meta.k8s.io;v=v1`, refused],
    [`${json};as=Table;g=x;v=v1,${json}`, "json"],
    [`${json};stream=foo,${protobuf}`, "protobuf"],
    [`${yaml};stream=watch`, refused],
    [`${json};sv=v2,${yaml}`, "yaml"],
    ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"],
    ["application/*", `406: Not Acceptable\n\nAvailable representations: ${types}`],
    ["text/html", `406: Not Acceptable\n\nAvailable representations: ${types}`],
  ])("of a built-in kind: %s", (accept, expected) => expect(chosen(accept)).toBe(expected));

  it("of a custom resource is never protobuf, but for its metadata", () => {
    expect(chosen(protobuf, "object", true)).toBe(refused);
    expect(chosen(`${protobuf},${json}`, "object", true)).toBe("json");
    expect(chosen(`${protobuf}${metadata}`, "object", true)).toBe("protobuf metadata");
    expect(chosen("application/*", "object", true)).toBe("json");
  });

  it("of a watch is a stream, which YAML has none of", () => {
    expect(chosen(`${protobuf};stream=watch`, "stream")).toBe("protobuf");
    expect(chosen(yaml, "stream")).toBe(`only the following media types are accepted: ${json};stream=watch, ${protobuf};stream=watch`);
  });

  it("of a question is never a table", () => expect(chosen(`${json}${table}`, "review")).toBe(refused));

  it("is spread over lines where it was asked for, and for programs that people look at", () => {
    const pretty = (query: string, userAgent: string): boolean => negotiate(asking(json, query, userAgent)).pretty;
    expect(["", "pretty=true", "pretty=1", "pretty=0", "pretty=x"].map((query) => pretty(query, "kubectl/v1"))).toEqual([
      false,
      true,
      true,
      false,
      false,
    ]);
    expect(["curl/7", "Wget/1", "Mozilla/5.0 (X11)"].map((userAgent) => pretty("", userAgent))).toEqual([true, true, true]);
    expect(pretty("pretty=false", "curl/7")).toBe(false);
    expect(negotiate(asking(`${json};pretty=1`)).pretty).toBe(true);
  });

  it("of an error is that of objects, and JSON where none of those is taken", () => {
    expect(negotiateError(asking(`${protobuf},${json}`).request, new URLSearchParams())).toEqual({ encoding: "protobuf", pretty: false });
    expect(negotiateError(asking(`${json}${table},${yaml}`).request, new URLSearchParams())).toEqual({ encoding: "yaml", pretty: false });
    expect(negotiateError(asking("text/html").request, new URLSearchParams())).toBeUndefined();
  });
});
