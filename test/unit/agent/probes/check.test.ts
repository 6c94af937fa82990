import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { check } from "../../../../agent/probes/check.ts";

const server = createServer((request, response) => {
  const path = request.url ?? "";
  if (path === "/moved") response.writeHead(302, { location: "/ok" }).end();
  else if (path === "/away") response.writeHead(302, { location: "http://elsewhere.test/" }).end();
  else if (path === "/header") response.writeHead(request.headers["x-probe"] === "yes" ? 200 : 400).end();
  else if (path === "/never") return;
  else response.writeHead(path === "/ok" ? 200 : 500).end("body");
});
let port = 0;
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const exec = async () => ({ exitCode: 0, output: "", timedOut: false });
const target = () => ({ container: { name: "main", ports: [{ name: "web", containerPort: port }] }, podIp: "127.0.0.1", exec });

test.each([
  ["/ok", "success"],
  ["/moved", "success"],
  ["/away", "success"],
  ["/bad", "failure"],
])("an HTTP probe of %s is a %s", async (path, kind) => {
  expect((await check({ httpGet: { path, port: "web" } }, target(), 1)).kind).toBe(kind);
});

test("sends the probe's headers, and fails when the answer takes too long", async () => {
  const httpHeaders = [{ name: "X-Probe", value: "yes" }];
  expect((await check({ httpGet: { path: "/header", port, httpHeaders } }, target(), 1)).kind).toBe("success");
  expect((await check({ httpGet: { path: "/never", port } }, target(), 0.2)).kind).toBe("failure");
  expect((await check({ httpGet: { path: "/bad", port } }, target(), 1)).output).toBe("HTTP probe failed with statuscode: 500");
});

test("a TCP probe succeeds where something listens and fails where nothing does", async () => {
  expect((await check({ tcpSocket: { port: "web" } }, target(), 1)).kind).toBe("success");
  expect((await check({ tcpSocket: { port: 1 } }, target(), 1)).kind).toBe("failure");
});

test("a port name that the container does not have is an error, not a failure", async () => {
  expect((await check({ tcpSocket: { port: "nope" } }, target(), 1)).kind).toBe("error");
});

test("what would be asked over the network is taken for answered where nothing runs", async () => {
  const hollow = { ...target(), podIp: undefined };
  expect((await check({ httpGet: { path: "/bad", port: "web" } }, hollow, 1)).kind).toBe("success");
  expect((await check({ tcpSocket: { port: 1 } }, hollow, 1)).kind).toBe("success");
});
