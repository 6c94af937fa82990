import { describe, expect, test } from "vitest";
import { readEnvironment } from "../../../functions/environment.ts";
import { variables } from "../../../functions/names/variables.ts";

describe("the functions' environment", () => {
  test("needs no more than the table and the secret; empty variables count as absent", () => {
    const environment = readEnvironment({ CORACLE_TABLE: "coracle", CORACLE_SECRET: "coracle/keys", CORACLE_TENANT_ROLE: "" });
    expect(environment).toMatchObject({
      table: "coracle",
      secret: "coracle/keys",
      requests: { burst: 400, perSecond: 100 },
      idlePollSeconds: 30,
      usageSeconds: 900,
      logLevel: "info",
    });
    expect(environment.tenantRole).toBeUndefined();
  });

  test("reads every variable that the stack knows by name", () => {
    const all = Object.fromEntries(Object.values(variables).map((name) => [name, "wrong value"]));
    expect(() => readEnvironment({ ...all, CORACLE_TABLE: "t" })).toThrow();
    const message = (() => {
      try {
        readEnvironment(Object.fromEntries(Object.values(variables).map((name) => [name, ":"])));
        return "";
      } catch (error) {
        return String(error);
      }
    })();
    for (const name of [variables.clusterApiUrl, variables.tenantRole, variables.logLevel, variables.requestBurst])
      expect(message).toContain(name);
  });

  test("drops a trailing slash of URLs, which function URLs have", () => {
    const environment = readEnvironment({
      CORACLE_TABLE: "coracle",
      CORACLE_SECRET: "s",
      CORACLE_CLUSTER_API_URL: "https://abc.lambda-url.us-east-1.on.aws/",
    });
    expect(environment.clusterApiUrl).toBe("https://abc.lambda-url.us-east-1.on.aws");
  });
});
