import { expect, it } from "vitest";
import { readSettings } from "../../../server/settings.ts";

it("has a default for every setting", () => {
  expect(readSettings({})).toEqual({
    dataDirectory: ".coracle",
    host: "127.0.0.1",
    port: 7443,
    nodes: 1,
    runtime: "auto",
    logLevel: "warn",
    webhooksToPrivateAddresses: false,
    webhookNetworks: [],
    features: [],
    runtimeEndpoint: undefined,
  });
});

it.each([
  ["CORACLE_PORT", "70000"],
  ["CORACLE_HOST", "example.com"],
  ["CORACLE_RUNTIME", "docker"],
  ["CORACLE_NODES", "-1"],
  ["CORACLE_WEBHOOK_ADDRESSES", "private"],
])("refuses a bad %s and names it", (name, value) => {
  expect(() => readSettings({ [name]: value })).toThrow(name);
});
