import { describe, expect, it } from "vitest";
import { readContainerSettings } from "../../../../server/container/settings.ts";

describe("settings of a server process over a table", () => {
  it("serve everything on loopback and turn clusters, unless told otherwise", () => {
    const { surfaces, ...others } = readContainerSettings({ CORACLE_PORT: "" });
    expect([...surfaces]).toEqual(["cluster", "platform", "agent"]);
    expect(others).toEqual({ host: "127.0.0.1", port: 7443, loops: true, drainSeconds: 0, caFile: undefined });
  });

  it("come as text", () => {
    const { caFile, ...settings } = readContainerSettings({
      ...{
        CORACLE_HOST: "0.0.0.0",
        CORACLE_PORT: "443",
        CORACLE_SURFACES: "cluster, agent",
        CORACLE_LOOPS: "off",
        CORACLE_DRAIN_SECONDS: "20",
      },
    });
    expect(settings).toEqual({ host: "0.0.0.0", port: 443, surfaces: new Set(["cluster", "agent"]), loops: false, drainSeconds: 20 });
  });

  it.each([
    [{ CORACLE_HOST: "example.com" }, "CORACLE_HOST: "],
    [{ CORACLE_PORT: "70000" }, "CORACLE_PORT: "],
    [{ CORACLE_SURFACES: "cluster,console" }, "CORACLE_SURFACES"],
    [{ CORACLE_LOOPS: "yes" }, "CORACLE_LOOPS: "],
    [{ CORACLE_DRAIN_SECONDS: "300" }, "CORACLE_DRAIN_SECONDS: "],
  ])("are refused by the variable's name: %j", (variables, message) => {
    expect(() => readContainerSettings(variables)).toThrow(message);
  });
});
