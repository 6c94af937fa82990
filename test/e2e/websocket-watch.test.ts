import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { type ServerFixture, startServer } from "./server-fixture.ts";

describe("a client that watches by WebSocket", () => {
  let server: ServerFixture;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server?.stop());

  const post = (path: string, body: object) => server.api.send(path, { method: "POST", body });
  const open = async (protocols: string[]) => {
    const made = await post("/api/v1/namespaces/default/serviceaccounts/default/token", { spec: {} });
    const { token } = made.json<{ status: { token: string } }>().status;
    const path = "/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=0&fieldSelector=metadata.name=seen";
    const url = `${server.url.replace("https", "wss")}${path}`;
    return new WebSocket(url, protocols, {
      rejectUnauthorized: false,
      origin: "https://example.com",
      headers: { authorization: `Bearer ${token}` },
    });
  };

  const bindAdmin = () =>
    post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
      metadata: { name: "reader" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
      subjects: [{ kind: "ServiceAccount", name: "default", namespace: "default" }],
    });

  it("gets each event as a message, in the protocol that it offers, until it closes", async () => {
    await bindAdmin();
    const socket = await open(["base64.binary.k8s.io"]);
    await once(socket, "open");
    expect(socket.protocol).toBe("base64.binary.k8s.io");
    const next = async (): Promise<{ type: string; object: { metadata: { name: string } } }> => {
      const [bytes, isBinary] = (await once(socket, "message")) as [Buffer, boolean];
      expect(isBinary).toBe(false);
      return JSON.parse(bytes.toString());
    };
    const added = next();
    await post("/api/v1/namespaces/default/configmaps", { metadata: { name: "seen" } });
    expect(await added).toMatchObject({ type: "ADDED", object: { metadata: { name: "seen" } } });
    const deleted = next();
    await server.api.send("/api/v1/namespaces/default/configmaps/seen", { method: "DELETE" });
    expect((await deleted).type).toBe("DELETED");
    socket.ping("still there?");
    expect(String((await once(socket, "pong"))[0])).toBe("still there?");
    socket.close(1000);
    expect((await once(socket, "close"))[0]).toBe(1000);
  });

  it("is refused where it offers more protocols than one", async () => {
    const socket = await open(["a", "b"]);
    const [, answer] = (await once(socket, "unexpected-response")) as [unknown, { statusCode: number }];
    expect(answer.statusCode).toBe(400);
    socket.on("error", () => {});
    socket.terminate();
  });
});
