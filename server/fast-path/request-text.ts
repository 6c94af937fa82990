/** A request in the plain form, as it stands in what a connection sent. */
export interface RequestText {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly fields: HeaderFields;
  readonly body: Buffer;
}

/** The header lines of a request, taken apart. A client sends the same ones again and again: `text` tells them from others. */
export interface HeaderFields {
  readonly text: string;
  /** By their names in lower case, each of which stands once. */
  readonly values: ReadonlyMap<string, string>;
  readonly bodyBytes: number;
}

/** Node's own bound for a head. */
const mostHeadBytes = 16 * 1024;
/** A larger body is Node's to read: as it comes, and not at all when it is not wanted. */
const mostBodyBytes = 64 * 1024;
const plainMethods: ReadonlySet<string> = new Set(["GET", "POST", "PUT", "PATCH", "DELETE"]);
const plainTarget = /^\/[\x21-\x7e]*$/;
const versionText = " HTTP/1.1";
/** Field lines of RFC 9110 §5 without the leniencies of RFC 9112: no folding, no space before the colon, no bare line feed. */
const plainLines = /^(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*$/;
/** What says how the message or its connection goes on; a request with any of them is not in the plain form. */
const steering = ["transfer-encoding", "upgrade", "expect", "te", "trailer", "proxy-connection"];

/**
 * Reads bytes that are exactly one HTTP/1.1 request (RFC 9112) in the form that nearly all clients send nearly all of the time: a known method, a path, well-formed
 * header lines that stand once each, and a small body of a declared length. `"more"`: the body of such a request has not come whole.
 * `undefined`: anything else, for a complete reader of HTTP; nothing is ever refused here.
 */
export function readRequest(bytes: Buffer, known: HeaderFields | undefined): RequestText | "more" | undefined {
  const lineEnd = bytes.indexOf("\r\n", 0, "latin1");
  if (lineEnd < 0) return undefined;
  const headEnd = bytes.indexOf("\r\n\r\n", lineEnd, "latin1");
  if (headEnd < 0 || headEnd > mostHeadBytes) return undefined;
  const line = bytes.toString("latin1", 0, lineEnd);
  const methodEnd = line.indexOf(" ");
  const method = line.slice(0, methodEnd);
  const url = line.slice(methodEnd + 1, -versionText.length);
  if (!line.endsWith(versionText) || !plainMethods.has(method) || !plainTarget.test(url)) return undefined;
  const text = bytes.toString("latin1", lineEnd + 2, headEnd + 2);
  const fields = text === known?.text ? known : readFields(text);
  if (!fields) return undefined;
  const end = headEnd + 4 + fields.bodyBytes;
  if (bytes.length < end) return "more";
  return bytes.length > end ? undefined : { method, url, fields, body: bytes.subarray(headEnd + 4) };
}

function readFields(text: string): HeaderFields | undefined {
  if (!plainLines.test(text)) return undefined;
  const values = new Map<string, string>();
  for (const line of text.split("\r\n")) {
    if (line === "") continue;
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    if (values.has(name)) return undefined;
    values.set(name, line.slice(colon + 1).replace(/^[\t ]+|[\t ]+$/g, ""));
  }
  if (!values.has("host") || steering.some((name) => values.has(name))) return undefined;
  if ((values.get("connection") ?? "keep-alive").toLowerCase() !== "keep-alive") return undefined;
  const length = values.get("content-length") ?? "0";
  if (!/^\d{1,6}$/.test(length) || Number(length) > mostBodyBytes) return undefined;
  return { text, values, bodyBytes: Number(length) };
}
