import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { Duplex } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readRequest } from "../../../../server/fast-path/request-text.ts";

const read = (text: string | Buffer) => readRequest(Buffer.from(text as string, "latin1"), undefined);
const plain =
  "POST /api/v1/namespaces/a/pods?dryRun=All HTTP/1.1\r\nHost: x\r\nAccept: application/json, */*\r\nContent-Length: 4\r\n\r\n{\r\n}";

describe("a request in the plain form", () => {
  it("is read", () => {
    expect(read(plain)).toMatchObject({ method: "POST", url: "/api/v1/namespaces/a/pods?dryRun=All", body: Buffer.from("{\r\n}") });
    const found = read("GET /api HTTP/1.1\r\nhost:x\r\nX-Empty:\r\nAuthorization: \tBearer a b \r\n\r\n");
    const values = typeof found === "object" ? [...found.fields.values] : found;
    expect(values).toEqual([
      ["host", "x"],
      ["x-empty", ""],
      ["authorization", "Bearer a b"],
    ]);
  });

  it("has its header lines taken apart once when they are the last request's again", () => {
    const first = read(plain);
    const again = readRequest(Buffer.from(plain.replace("pods", "nodes")), typeof first === "object" ? first.fields : undefined);
    expect(typeof again === "object" && typeof first === "object" && again.fields === first.fields).toBe(true);
    const other = readRequest(Buffer.from(plain.replace("Host: x", "Host: y")), typeof first === "object" ? first.fields : undefined);
    expect(typeof other === "object" && other.fields.values.get("host")).toBe("y");
  });

  it("is waited for when its body has not come whole", () => {
    expect(read(plain.slice(0, -1))).toBe("more");
    expect(read(plain.slice(0, -4))).toBe("more");
  });
});

it.each([
  ["no whole head", "GET /api HTTP/1.1\r\nHost: x\r\n"],
  ["no line", "GET /api"],
  ["another version", "GET /api HTTP/1.0\r\nHost: x\r\n\r\n"],
  ["another method", "HEAD /api HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a method in small letters", "get /api HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a whole URL", "GET https://x/api HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a space in the path", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a path that is not ASCII", "GET /\u00e4 HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["no host", "GET /api HTTP/1.1\r\nAccept: x\r\n\r\n"],
  ["no header", "GET /api HTTP/1.1\r\n\r\n"],
  ["a header twice", "GET /api HTTP/1.1\r\nHost: x\r\nA: 1\r\na: 2\r\n\r\n"],
  ["two lengths", "POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\nab"],
  ["a length that is none", "POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na"],
  ["a list of lengths", "POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\na"],
  ["a body of more than 64 KiB", `POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n${"a".repeat(65537)}`],
  ["chunks", "POST /api HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["an upgrade", "GET /api HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"],
  ["the connection's end", "GET /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"],
  ["an expectation", "POST /api HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na"],
  ["a folded line", "GET /api HTTP/1.1\r\nHost: x\r\nA: 1\r\n b\r\n\r\n"],
  ["a space before a colon", "GET /api HTTP/1.1\r\nHost: x\r\nA : 1\r\n\r\n"],
  ["a bare line feed", "GET /api HTTP/1.1\r\nHost: x\r\nA: 1\nB: 2\r\n\r\n"],
  ["a bare carriage return", "GET /api HTTP/1.1\r\nHost: x\r\nA: 1\rB: 2\r\n\r\n"],
  ["a zero byte", "GET /api HTTP/1.1\r\nHost: x\r\nA: 1\0\r\n\r\n"],
  ["a head of more than 16 KiB", `GET /api HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(16 * 1024)}\r\n\r\n`],
  ["a second request behind it", `${plain}GET /api HTTP/1.1\r\n`],
])("a request with %s is left to Node", (_, text) => {
  expect(read(text)).toBeUndefined();
});

/** What Node's own reader makes of these bytes: each request, and whether it gave up. */
async function readByNode(bytes: Buffer): Promise<{ seen: unknown[]; refused: boolean }> {
  const seen: unknown[] = [];
  let refused = false;
  const server = createServer((request: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method, url, headers } = request;
      seen.push({ method, url, headers: { ...headers }, body: Buffer.concat(chunks).toString("latin1") });
      response.end();
    });
  });
  server.on("clientError", (_error, socket) => {
    refused = true;
    socket.destroy();
  });
  const connection = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done(), final: (done) => done() });
  connection.on("error", () => {});
  server.emit("connection", connection);
  connection.push(bytes);
  await new Promise((resolve) => setImmediate(resolve));
  connection.push(null);
  if (!connection.destroyed) await Promise.race([once(connection, "close"), new Promise((resolve) => setTimeout(resolve, 50))]);
  return { seen, refused };
}

describe("whatever is read here", () => {
  const bases = [
    plain,
    "GET /api/v1/pods?limit=5 HTTP/1.1\r\nHost: x\r\nUser-Agent: kubectl/v1.33\r\nAuthorization: Bearer abc\r\nAccept-Encoding: gzip\r\n\r\n",
    "PATCH /apis/a/b HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    "DELETE /api/v1/x HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
  ];
  const letters = fc.constantFrom(
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    ",",
    "\0",
    "\x7f",
    "\xe4",
    "a",
    "A",
    "0",
    "1",
    "9",
    "/",
    "?",
    "-",
    "chunked",
    "Content-Length: 1\r\n",
    "Host: y\r\n",
    "\r\n\r\n",
    "Connection: close\r\n",
    "Transfer-Encoding: chunked\r\n",
    " HTTP/1.1",
    "GET / HTTP/1.1\r\nHost: z\r\n\r\n",
  );
  const edit = fc.record({ at: fc.nat(200), cut: fc.nat(3), put: fc.option(letters, { nil: "" }) });
  const mutated = fc.tuple(fc.constantFrom(...bases), fc.array(edit, { maxLength: 3 })).map(([base, edits]) =>
    edits.reduce((text, { at, cut, put }) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + put + text.slice(place + cut);
    }, base),
  );

  it("Node reads as the same one request", async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(mutated, async (text) => {
        const found = read(text);
        if (typeof found !== "object") return;
        accepted++;
        const { seen, refused } = await readByNode(Buffer.from(text, "latin1"));
        const { method, url, fields, body } = found;
        expect(refused).toBe(false);
        expect(seen).toEqual([{ method, url, headers: Object.fromEntries(fields.values), body: body.toString("latin1") }]);
      }),
      { numRuns: 4000 },
    );
    expect(accepted).toBeGreaterThan(400);
  });
});
