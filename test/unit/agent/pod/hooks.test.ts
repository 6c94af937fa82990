import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { type HookOutcome, runHook } from "../../../../agent/pod/hooks.ts";
import { systemClock } from "../../../../shared/clock.ts";
import type { LifecycleHandler, Pod } from "../../../../shared/kubernetes/types.ts";

const requests: IncomingMessage[] = [];
const server = createServer((request, response) => {
  requests.push(request);
  if (request.url === "/never") return;
  if (request.url === "/moved") return void response.writeHead(302, { location: "/there" }).end();
  response.writeHead(request.url === "/bad" ? 500 : 200).end("secret");
});
let port = 0;
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});
beforeEach(() => void requests.splice(0));
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const pod: Pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "web", namespace: "shop", uid: "u1" } };
const fallbacks: string[] = [];
const run = (handler: LifecycleHandler, timeoutSeconds = 5): Promise<HookOutcome> =>
  runHook(handler, {
    ...{ pod, timeoutSeconds, clock: systemClock, onFallback: (host) => fallbacks.push(host) },
    target: {
      container: { name: "main", ports: [{ name: "http", containerPort: port }] },
      podIp: "127.0.0.1",
      exec: async ([program], seconds) => ({
        exitCode: program === "true" ? 0 : 3,
        output: "said",
        timedOut: program === "slow" && seconds === 5,
      }),
    },
  });
const place = `for Container "main" in Pod "web_shop(u1)" failed - error:`;

it("asks the pod's own address by default, at a port by name, under kubelet's name, with the handler's headers", async () => {
  const httpHeaders = [
    { name: "Host", value: "shop.example" },
    { name: "X-Of", value: "one" },
    { name: "X-Of", value: "two" },
    { name: "Accept", value: "" },
  ];
  expect(await run({ httpGet: { path: "echo?msg=prestop", port: "http", httpHeaders } })).toEqual({ kind: "done" });
  const [request] = requests;
  expect(request?.url).toBe("/echo?msg=prestop");
  expect(request?.headers).toMatchObject({ host: "shop.example", "user-agent": "kube-lifecycle/1.33", "x-of": "one, two" });
  expect(request?.headers.accept).toBeUndefined();
});

it("counts every answer as one, whatever its status, and follows where it is sent", async () => {
  expect(await run({ httpGet: { path: "/bad", port } })).toEqual({ kind: "done" });
  expect(await run({ httpGet: { path: "/moved", port } })).toEqual({ kind: "done" });
  expect(requests.map(({ url }) => url)).toEqual(["/bad", "/moved", "/there"]);
});

it("does not leave its host for a path that names another", async () => {
  expect(await run({ httpGet: { path: "//elsewhere.test/x", port } })).toEqual({ kind: "done" });
  expect(requests.map(({ url }) => url)).toEqual(["/x"]);
});

it("asks again over HTTP, without credentials, where a hook of HTTPS is answered in HTTP", async () => {
  const httpHeaders = [{ name: "Authorization", value: "Bearer secret" }];
  expect(await run({ httpGet: { scheme: "HTTPS", path: "/plain", port, httpHeaders } })).toEqual({ kind: "done" });
  expect(requests.map(({ url, headers }) => [url, headers.authorization])).toEqual([["/plain", undefined]]);
  expect(fallbacks).toEqual([`127.0.0.1:${port}`]);
});

it("says why a hook failed in kubelet's words", async () => {
  const failed = async (handler: LifecycleHandler) => {
    const outcome = await run(handler);
    return outcome.kind === "failed" ? outcome.message : outcome.kind;
  };
  expect(await failed({ httpGet: { path: "/x", port: 1 } })).toBe(
    `HTTP lifecycle hook (/x) ${place} Get "http://127.0.0.1:1/x": dial tcp 127.0.0.1:1: connect: connection refused`,
  );
  expect(await failed({ httpGet: { path: "/x", port: "nope" } })).toContain("HTTP lifecycle hook (/x)");
  expect(await failed({ exec: { command: ["sh", "no"] } })).toBe(
    `Exec lifecycle hook ([sh no]) ${place} command 'sh no' exited with 3: said, message: "said"`,
  );
  expect(await failed({ tcpSocket: { port } })).toMatch(/^Cannot run handler: invalid handler/);
});

it("is unfinished, not failed, when its time is over", async () => {
  expect(await run({ httpGet: { path: "/never", port } }, 0.2)).toEqual({ kind: "unfinished" });
  expect(await run({ exec: { command: ["slow"] } })).toEqual({ kind: "unfinished" });
  expect(await run({ sleep: { seconds: 60 } }, 0.05)).toEqual({ kind: "unfinished" });
  expect(await run({ sleep: { seconds: 0 } })).toEqual({ kind: "done" });
  expect(await run({ exec: { command: ["true"] } })).toEqual({ kind: "done" });
});
