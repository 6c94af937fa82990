import type { IncomingMessage } from "node:http";
import { posix } from "node:path";
import { promisify } from "node:util";
import { deflateRaw, gunzip, gzip, inflateRaw } from "node:zlib";
import type { ApiResponse } from "../../response.ts";
import { rewriteLinks } from "./rewrite-links.ts";

/** The page that an answer is: its place at its own server, and where that place is seen through the proxy. */
export interface Page {
  /** `10.0.0.1:80`. */
  readonly host: string;
  readonly path: string;
  /** The `Host` that the client asked for. */
  readonly requestHost: string;
  /** The path under which the server's root is seen. */
  readonly prefix: string;
}

/** Longer pages go through as they are. */
const longestPage = 16 * 1024 * 1024;
const codings = {
  gzip: { decode: promisify(gunzip), encode: promisify(gzip) },
  deflate: { decode: promisify(inflateRaw), encode: promisify(deflateRaw) },
} as const;

/** Makes the places that an answer names lead through the proxy: `Location`, and the links of HTML (apimachinery `proxy.Transport`). */
export async function rewriteAnswer(
  answer: IncomingMessage,
  { isHead, ...page }: Page & { readonly isHead: boolean },
  respond: (body?: Buffer) => ApiResponse,
): Promise<ApiResponse> {
  const { location } = answer.headers;
  if (location) return withHeader(respond(), "location", rewrittenUrl(location, page));
  const type = (answer.headers["content-type"] ?? "").split(";")[0]?.trim();
  const coding = answer.headers["content-encoding"] ?? "";
  const length = Number(answer.headers["content-length"] ?? 0);
  const isKnown = coding === "" || coding === "gzip" || coding === "deflate";
  if (type !== "text/html" || !isKnown || length > longestPage || isHead) return respond();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    size += chunk.length;
    if (size > longestPage) throw new Error("the page is too long");
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  const rewrite = (plain: Buffer): Buffer =>
    Buffer.from(
      rewriteLinks(plain.toString("latin1"), (url) => rewrittenUrl(url, page)),
      "latin1",
    );
  const body =
    coding === "" || size === 0
      ? rewrite(bytes)
      : await codings[coding].encode(rewrite(await codings[coding].decode(bytes, { maxOutputLength: longestPage })));
  const whole = respond(body);
  const { "content-length": _, ...headers } = whole.headers;
  return { ...whole, headers };
}

const withHeader = (answer: ApiResponse, name: string, value: string): ApiResponse => ({
  ...answer,
  headers: { ...answer.headers, [name]: value },
});

/** A URL of the page's own server, with an absolute path, as it is seen through the proxy; every other as it is (`rewriteURL`). */
function rewrittenUrl(url: string, { host, requestHost, prefix }: Page): string {
  const parts = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(.*)$/s.exec(url);
  if (!parts) return url;
  const [, scheme, authority = "", path = "", rest = ""] = parts;
  const isElsewhere = authority !== "" && authority !== host && authority !== requestHost;
  if (isElsewhere || !path.startsWith("/")) return url;
  const origin = authority !== "" && authority === requestHost ? `${scheme === undefined ? "" : `${scheme}:`}//${authority}` : "";
  if (path.startsWith(prefix)) return `${origin}${path}${rest}`;
  const moved = posix.join(prefix, path);
  return `${origin}${moved}${path.endsWith("/") && !moved.endsWith("/") ? "/" : ""}${rest}`;
}
