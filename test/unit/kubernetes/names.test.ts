import { describe, expect, it } from "vitest";
import * as names from "../../../shared/kubernetes/names.ts";

describe("names", () => {
  it("words a bad subdomain as kube-apiserver does", () => {
    expect(names.isDnsSubdomain("Bad_Name")).toBe(
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    );
    expect(names.isDnsSubdomain("x".repeat(254))).toBe("must be no more than 253 characters");
    expect(names.isDnsSubdomain("a.b-c.d1")).toBeUndefined();
    expect(names.isDnsSubdomain("a..b")).toBeDefined();
  });

  it("words a bad key of a ConfigMap as kube-apiserver does", () => {
    expect(names.isConfigMapKey("a b")).toBe(
      "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    );
    expect(names.isConfigMapKey("..")).toBe("must not be '..'");
    expect(names.isConfigMapKey("..a")).toBe("must not start with '..'");
    expect(names.isConfigMapKey("a.b_c-D")).toBeUndefined();
  });

  it("tells a label with dots from a bad one", () => {
    expect(names.isDnsLabel("a.b")).toBe("must not contain dots");
    expect(names.isDnsLabel("-a")).toMatch(/^a lowercase RFC 1123 label must consist/);
    expect(names.dnsLabelProblems("-".repeat(64))).toHaveLength(2);
    expect(names.isDns1035Label("1a")).toMatch(/^a DNS-1035 label must consist/);
    expect(names.isDns1035Label("a1")).toBeUndefined();
  });

  it("checks prefix and name of a qualified name", () => {
    expect(names.isQualifiedName("example.com/My_Name.1")).toBeUndefined();
    expect(names.isQualifiedName("/a")).toBe("prefix part must be non-empty");
    expect(names.isQualifiedName("a/")).toBe("name part must be non-empty");
    expect(names.isQualifiedName("A/b")).toMatch(/^prefix part a lowercase RFC 1123 subdomain/);
    expect(names.isQualifiedName("a/b/c")).toMatch(
      /^a qualified name must consist .* with an optional DNS subdomain prefix and '\/' \(e\.g\. 'example\.com\/MyName'\)$/,
    );
    expect(names.isQualifiedName("x".repeat(64))).toBe("name part must be no more than 63 characters");
  });

  it("takes an empty label value and refuses one that ends in a sign", () => {
    expect(names.isLabelValue("")).toBeUndefined();
    expect(names.isLabelValue("a-")).toMatch(/^a valid label must be an empty string/);
  });

  it("answers every problem of a port's name", () => {
    expect(names.portNameProblems("--")).toEqual([
      "must contain at least one letter (a-z)",
      "must not contain consecutive hyphens",
      "must not begin or end with a hyphen",
    ]);
    expect(names.isPortName("http-80")).toBeUndefined();
    expect(names.isPortName("abcdefghijklmnop")).toBe("must be no more than 15 characters");
  });

  it("knows path segments, variables, hosts and numbers", () => {
    expect(names.isPathSegmentName("..")).toBe("may not be '..'");
    expect(names.isPathSegmentName("a/b")).toBe("may not contain '/'");
    expect(names.isPathSegmentName("system:node")).toBeUndefined();
    expect(names.isEnvVarName("1A")).toMatch(/^a valid environment variable name/);
    expect(names.isEnvVarName("A.b-c")).toBeUndefined();
    expect(names.isRelaxedEnvVarName("1 A")).toBeUndefined();
    expect(names.isRelaxedEnvVarName("a=b")).toBeDefined();
    expect(names.isWildcardDnsSubdomain("*.a.b")).toBeUndefined();
    expect(names.isWildcardDnsSubdomain("*a.b")).toBeDefined();
    expect(names.isPortNumber(0)).toBe("must be between 1 and 65535, inclusive");
    expect(names.isCIdentifier("a-b")).toBeDefined();
    expect(names.isHttpHeaderName("X-A")).toBeUndefined();
  });

  it("takes linear time for hostile names", () => {
    const started = performance.now();
    const hostile = [`${"a-".repeat(100_000)}!`, `${"a.".repeat(100_000)}!`, `${"a".repeat(200_000)}/`];
    for (const value of hostile) {
      names.isDnsLabel(value);
      names.isDnsSubdomain(value);
      names.isQualifiedName(value);
      names.isLabelValue(value);
      names.isConfigMapKey(value);
    }
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
