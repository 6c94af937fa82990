import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { open } from "lmdb";

/**
 * The least that a Node server could do for a create or a get: TLS, parse, stamp, two durable puts into LMDB, answer. No API, no
 * validation, no watch. Started with a folder that holds `server.key` and `server.crt`; tells its parent the port.
 */
const directory = process.argv[2] ?? ".";
const database = open<Buffer, string | [string, number]>({ path: join(directory, "store"), encoding: "binary", compression: false });
const memory = new Map<string, Buffer>();
let revision = 0;

interface Posted {
  metadata?: { name?: string; uid?: string; resourceVersion?: string };
}

function answer(response: ServerResponse, status: number, body: Buffer): void {
  response.writeHead(status, { "content-type": "application/json", "content-length": body.length });
  response.end(body);
}

async function write(url: string, method: string, bytes: Buffer, response: ServerResponse): Promise<void> {
  const object: Posted = JSON.parse(bytes.toString() || "{}");
  object.metadata = { ...object.metadata, uid: randomUUID(), resourceVersion: String(++revision) };
  const body = Buffer.from(JSON.stringify(object));
  const path = method === "POST" ? `${url}/${object.metadata.name}` : url;
  await Promise.all([database.put(path, body), database.put(["log", revision], body)]);
  await database.flushed;
  memory.set(path, body);
  answer(response, method === "POST" ? 201 : 200, body);
}

const server = createServer(
  { key: readFileSync(join(directory, "server.key")), cert: readFileSync(join(directory, "server.crt")) },
  (request, response) => {
    const { url = "/", method = "GET" } = request;
    if (method === "GET") {
      const body = memory.get(url);
      answer(response, body ? 200 : 404, body ?? Buffer.from("{}"));
      return;
    }
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => void write(url, method, Buffer.concat(chunks), response));
  },
);
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
