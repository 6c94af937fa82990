import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { connect, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Answers, createFraming } from "../../../../server/answers.ts";
import { takeConnections } from "../../../../server/fast-path/take-connections.ts";
import type { Sink, StreamBody } from "../../../../shared/api/response.ts";
import { createCertificateAuthority, issueServerCertificate } from "../../../../shared/auth/certificate-authority.ts";
import { systemClock } from "../../../../shared/clock.ts";

let server: Server;
let ca = "";
let byNode = 0;
let sinks: Sink[] = [];

const watched: StreamBody = {
  start(sink) {
    sinks.push(sink);
    return () => {};
  },
};

beforeEach(async () => {
  byNode = 0;
  sinks = [];
  const notBefore = Date.now();
  const authority = await createCertificateAuthority({ commonName: "test", notBefore });
  const names = { dnsNames: ["localhost"], ips: ["127.0.0.1"], notBefore, days: 1 };
  const issued = await issueServerCertificate({ caKeyPem: authority.keyPem, caPem: authority.certificatePem, ...names });
  ca = authority.certificatePem;
  server = createServer({ key: issued.keyPem, cert: issued.certificatePem }, (_request, response) => {
    byNode++;
    response.end("Node");
  });
  takeConnections(
    server,
    {
      ...{ answers: new Answers(), framing: createFraming(), clock: systemClock, keepAliveMs: 200, onError: () => {} },
      clusterApi: async ({ url }) => ({
        ...{ status: 200, headers: {} },
        body: url === "/api/watch" ? watched : Buffer.from("fast"),
      }),
    },
    () => {},
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(() => void server.close());

async function connected(): Promise<TLSSocket> {
  const socket = connect({ host: "127.0.0.1", port: (server.address() as AddressInfo).port, ca });
  await once(socket, "secureConnect");
  return socket;
}

const text = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

it("ends a connection that nothing is asked on, and one whose request does not go on", async () => {
  const [silent, half] = [await connected(), await connected()];
  half.write("POST /api/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
  const began = performance.now();
  await Promise.all([silent, half].map((socket) => once(socket.resume(), "close")));
  expect(performance.now() - began).toBeGreaterThan(150);
  expect(byNode).toBe(0);
});

it("leaves a connection alone whose answer goes on, however little is sent", async () => {
  const socket = await connected();
  socket.write(text("/api/watch"));
  await expect.poll(() => sinks.length).toBe(1);
  await pause(500);
  sinks[0]?.write(Buffer.from("event"));
  sinks[0]?.end();
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await expect.poll(() => Buffer.concat(chunks).toString()).toMatch(/\r\n5\r\nevent\r\n0\r\n\r\n$/);
  socket.destroy();
});

it("gives Node a request whose body comes in too many pieces, and all that follows on its connection", async () => {
  const socket = await connected();
  socket.write(text("/api/one"));
  expect(String((await once(socket, "data"))[0])).toMatch(/fast$/);
  socket.write("POST /api/two HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n");
  const answered = once(socket, "data");
  for (let sent = 0; sent < 200; sent++) {
    socket.write("x");
    await pause(1);
  }
  expect(String((await answered)[0])).toMatch(/^HTTP\/1\.1 200 OK/);
  socket.write(text("/api/three"));
  await once(socket, "data");
  expect(byNode).toBe(2);
  socket.destroy();
});
