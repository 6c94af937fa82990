import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { createHttpTransport, UpgradeRefused } from "../../../agent/transport.ts";

/** `refusals`: what the server answers before it takes a tunnel. */
function bed(serverUrl: string, refusals: number[] = []) {
  const opened: unknown[] = [];
  const transport = createHttpTransport(
    {
      serverUrl,
      fetch: () => Promise.reject(new Error("nothing is posted")),
      async upgrade(...asked) {
        opened.push(asked);
        const refused = refusals.shift();
        if (refused !== undefined) throw new UpgradeRefused(refused);
        return new PassThrough();
      },
    },
    "secret",
  );
  return { opened, transport };
}
const headers = { authorization: "Bearer secret" };

describe("a tunnel that the agent is asked for", () => {
  it("leads to the server that it calls, or to the one that was named", async () => {
    const { opened, transport } = bed("https://functions.example/");
    await transport.openTunnel("t1", {});
    await transport.openTunnel("t2", { url: "https://watch.example:8443" });
    expect(opened).toEqual([
      ["https://functions.example/agent/v1/tunnels/t1", headers, "coracle-tunnel"],
      ["https://watch.example:8443/agent/v1/tunnels/t2", headers, "coracle-tunnel"],
    ]);
  });

  it("takes the node's credential to nobody without TLS, where the server that it calls has that", async () => {
    const { opened, transport } = bed("https://functions.example");
    await expect(transport.openTunnel("t1", { url: "http://watch.example" })).rejects.toThrow(
      "the server at http://watch.example has no TLS",
    );
    expect(opened).toEqual([]);
    await bed("http://127.0.0.1").transport.openTunnel("t1", { url: "http://127.0.0.2" });
  });

  it("is opened again until it meets the process that asked, of several behind one address", async () => {
    const { opened, transport } = bed("https://servers.example", [421, 421]);
    await transport.openTunnel("t1", { process: "p1" });
    expect(opened).toEqual(Array(3).fill([expect.any(String), { ...headers, "coracle-process": "p1" }, "coracle-tunnel"]));
  });

  it("is given up when that process is met by none of many connections, and at once when it is refused otherwise", async () => {
    const lost = bed("https://servers.example", Array(100).fill(421));
    await expect(lost.transport.openTunnel("t1", { process: "p1" })).rejects.toThrow("takes no tunnel");
    expect(lost.opened).toHaveLength(32);
    const refused = bed("https://servers.example", [401]);
    await expect(refused.transport.openTunnel("t1", { process: "p1" })).rejects.toThrow("takes no tunnel");
    expect(refused.opened).toHaveLength(1);
  });
});
