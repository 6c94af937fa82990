import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { createHttpTransport } from "../../../agent/transport.ts";

function bed(serverUrl: string) {
  const opened: unknown[] = [];
  const transport = createHttpTransport(
    {
      serverUrl,
      fetch: () => Promise.reject(new Error("nothing is posted")),
      async upgrade(...asked) {
        opened.push(asked);
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
    await transport.openTunnel("t1");
    await transport.openTunnel("t2", "https://watch.example:8443");
    expect(opened).toEqual([
      ["https://functions.example/agent/v1/tunnels/t1", headers, "coracle-tunnel"],
      ["https://watch.example:8443/agent/v1/tunnels/t2", headers, "coracle-tunnel"],
    ]);
  });

  it("takes the node's credential to nobody without TLS, where the server that it calls has that", async () => {
    const { opened, transport } = bed("https://functions.example");
    await expect(transport.openTunnel("t1", "http://watch.example")).rejects.toThrow("the server at http://watch.example has no TLS");
    expect(opened).toEqual([]);
    await bed("http://127.0.0.1").transport.openTunnel("t1", "http://127.0.0.2");
  });
});
