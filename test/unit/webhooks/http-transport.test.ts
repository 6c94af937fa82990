import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createHttpTransport, type ResolvedAddress } from "../../../shared/webhooks/http-transport.ts";

let server: Server;
let port: number;
let status: number;
const seen: { path: string | undefined; id: string | undefined; body: string }[] = [];
beforeEach(async () => {
  seen.length = 0;
  status = 204;
  server = createServer((request, response) => {
    void read(request).then((body) => {
      seen.push({ path: request.url, id: request.headers["webhook-id"]?.toString(), body });
      if (status > 0) response.writeHead(status, { location: "/elsewhere" }).end("x".repeat(100_000));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function read(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}

const local: ResolvedAddress[] = [{ address: "127.0.0.1", family: 4 }];
const post = (url: string, options: Partial<Parameters<typeof createHttpTransport>[0]> = {}) =>
  createHttpTransport({ allowPrivate: true, resolve: async () => local, timeoutMs: 500, ...options }).post(
    url,
    { "webhook-id": "m" },
    "{}",
  );

it("posts the body to the address that the name has, and answers the status", async () => {
  expect(await post(`http://receiver.test:${port}/hook?x=1`)).toEqual({ kind: "answered", status: 204 });
  expect(seen).toEqual([{ path: "/hook?x=1", id: "m", body: "{}" }]);
});

it("does not follow a redirection", async () => {
  status = 302;
  expect(await post(`http://receiver.test:${port}/hook`)).toEqual({ kind: "answered", status: 302 });
  expect(seen).toHaveLength(1);
});

it("refuses names that lead to private addresses, one of several too, and such addresses themselves", async () => {
  const refused = { kind: "failed", message: "the address is not one of the public internet" };
  const strict = { allowPrivate: false };
  expect(await post(`http://receiver.test:${port}/`, strict)).toEqual(refused);
  const both = async () => [{ address: "8.8.8.8", family: 4 }, ...local];
  expect(await post(`http://receiver.test:${port}/`, { ...strict, resolve: both })).toEqual(refused);
  for (const host of ["127.0.0.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:7f00:1]"])
    expect(await post(`http://${host}:${port}/`, strict)).toEqual(refused);
  expect(seen).toEqual([]);
});

it("asks for the name once and connects to what it checked, whatever the name leads to afterwards", async () => {
  let asked = 0;
  const rebinding = async (): Promise<ResolvedAddress[]> => [{ address: asked++ === 0 ? "127.0.0.1" : "127.0.0.9", family: 4 }];
  expect(await post(`http://receiver.test:${port}/`, { resolve: rebinding })).toEqual({ kind: "answered", status: 204 });
  expect(asked).toBe(1);
});

it("says in general words why a receiver could not be asked", async () => {
  status = 0;
  expect(await post(`http://receiver.test:${port}/`)).toEqual({ kind: "failed", message: "no answer within 0.5 s" });
  const unknown = () => Promise.reject(new Error("ENOTFOUND dns.internal"));
  expect(await post("http://receiver.test/", { resolve: unknown })).toEqual({ kind: "failed", message: "the name cannot be resolved" });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  expect(await post(`http://receiver.test:${port}/`)).toEqual({ kind: "failed", message: "the connection was refused" });
});
