import { STATUS_CODES } from "node:http";
import type { Head } from "../answers.ts";

const fieldName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** As Node checks a value: what could end its line is in none. */
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;

/** What this connection says for itself, whatever an answer that was passed on said of another. */
const own: ReadonlySet<string> = new Set(["connection", "keep-alive", "transfer-encoding", "content-length", "date"]);

/** How an answer's body is told from what follows it: so many bytes, or in chunks. `none`: the status has no body. */
export type BodyLength = number | "chunked" | "none";

/** The status line and the header lines of an answer, to the empty line. @throws TypeError A header's name or value cannot be one. */
export function answerHead({ status, headers, cookies = [] }: Head, length: BodyLength, date: string, keepAliveSeconds?: number): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
  for (const name in headers) if (!own.has(name)) text += line(name, headers[name] ?? "");
  for (const cookie of cookies) text += line("set-cookie", cookie);
  text +=
    keepAliveSeconds === undefined ? "Connection: close\r\n" : `Connection: keep-alive\r\nKeep-Alive: timeout=${keepAliveSeconds}\r\n`;
  if (length !== "none") text += length === "chunked" ? "Transfer-Encoding: chunked\r\n" : `content-length: ${length}\r\n`;
  return `${text}${line("Date", headers.date ?? date)}\r\n`;
}

function line(name: string, value: string): string {
  if (!fieldName.test(name) || !fieldValue.test(value)) throw new TypeError(`invalid character in the header ${JSON.stringify(name)}`);
  return `${name}: ${value}\r\n`;
}
