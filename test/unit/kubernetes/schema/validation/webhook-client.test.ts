import { describe, expect, it } from "vitest";
import { checkClientConfig } from "../../../../../shared/kubernetes/schema/validation/webhook-client.ts";

const texts = (config: Parameters<typeof checkClientConfig>[0]): string[] =>
  checkClientConfig(config, "at").map(({ field, message }) => `${field}: ${message}`);

describe("where a webhook is", () => {
  it.each<[string, string[]]>([
    ["https://hook.example.com/path", []],
    ["https://hook.example.com:8443", []],
    [
      "http://hook.example.com",
      [`at.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]`],
    ],
    ["https:///path", ['at.url: Invalid value: "": host must be specified; desired format: https://host[/path]']],
    ["https://me@hook.example.com", ['at.url: Invalid value: "me": user information is not permitted in the URL']],
    ["https://hook.example.com#x", ['at.url: Invalid value: "x": fragments are not permitted in the URL']],
    ["https://hook.example.com?a=b", ['at.url: Invalid value: "a=b": query parameters are not permitted in the URL']],
  ])("%s: %j", (url, expected) => expect(texts({ url })).toEqual(expected));

  it("is either a URL or a Service", () => {
    expect(texts({})).toEqual(["at: Required value: exactly one of url or service is required"]);
  });

  it.each<[string | undefined, string[]]>([
    [undefined, []],
    ["/a/b/", []],
    [
      "a",
      ["at.service.path: Invalid value: \"a\": must start with a '/'", 'at.service.path: Invalid value: "a": segment[0] may not be empty'],
    ],
    ["/a//b", ['at.service.path: Invalid value: "/a//b": segment[1] may not be empty']],
  ])("has a path that is one: %s", (path, expected) => {
    expect(texts({ service: { namespace: "n", name: "s", ...(path !== undefined && { path }) } })).toEqual(expected);
  });
});
