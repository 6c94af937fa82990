import { expect, it } from "vitest";
import { answerHead } from "../../../../server/fast-path/answer-head.ts";

const date = "Sat, 28 Nov 2026 09:00:00 GMT";

it("has the status, the answer's headers, each cookie on a line of its own, and what the connection says for itself", () => {
  const head = { status: 201, headers: { "content-type": "application/json" }, cookies: ["a=1", "b=2"] };
  expect(answerHead(head, 12, date, 120)).toBe(
    [
      ...["HTTP/1.1 201 Created", "content-type: application/json", "set-cookie: a=1", "set-cookie: b=2"],
      ...["Connection: keep-alive", "Keep-Alive: timeout=120", "content-length: 12", `Date: ${date}`, "", ""],
    ].join("\r\n"),
  );
});

it.each([
  [{ length: "chunked" as const }, "Transfer-Encoding: chunked"],
  [{ length: 0 }, "content-length: 0"],
])("says how long the body is: %o", ({ length }, line) => {
  expect(answerHead({ status: 200, headers: {} }, length, date).split("\r\n")).toEqual([
    "HTTP/1.1 200 OK",
    "Connection: close",
    line,
    `Date: ${date}`,
    "",
    "",
  ]);
});

it("says nothing of a body that there is none of", () => {
  expect(answerHead({ status: 204, headers: {} }, "none", date)).not.toMatch(/length|encoding/i);
});

it("does not repeat what an answer that is passed on said of its own connection, but for its date", () => {
  const headers = { connection: "close", "keep-alive": "timeout=5", "transfer-encoding": "chunked", "content-length": "7", date: "then" };
  expect(answerHead({ status: 200, headers }, 7, date, 120).split("\r\n")).toEqual([
    ...["HTTP/1.1 200 OK", "Connection: keep-alive", "Keep-Alive: timeout=120", "content-length: 7", "Date: then", "", ""],
  ]);
});

it.each([
  { warning: "a\r\nset-cookie: stolen" },
  { warning: "\0" },
  { warning: "\u20ac" },
  { "a b": "c" },
  { "a:\r\nb": "c" },
  { "": "c" },
])("refuses what would be more than one header line: %o", (headers) => {
  expect(() => answerHead({ status: 200, headers: headers as Record<string, string> }, 0, date)).toThrow(TypeError);
});
