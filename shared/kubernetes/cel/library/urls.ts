import { type Overload, overload } from "../overload.ts";
import { opaqueType } from "../type.ts";
import { ArrayList, type CelValue, EntryMap, OpaqueValue } from "../value.ts";
import { attempt, succeeds } from "./addresses.ts";

/** What Go's `net/url` makes of an absolute URL; `URL` of the platform would rewrite it. */
interface Location {
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
}

const urlType = opaqueType("kubernetes.URL");
const shape = /^([A-Za-z][A-Za-z0-9+.-]*):(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?$/s;

/** Go's `url.ParseRequestURI`: an absolute URL or an absolute path. @throws RangeError */
function parseLocation(text: string): Location {
  const fail = (why: string): never => {
    throw new RangeError(`URL parse error during conversion from string: parse ${JSON.stringify(text)}: ${why}`);
  };
  if (text === "") fail("empty url");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
  if (/[\x00-\x1f\x7f]/.test(text)) fail("net/url: invalid control character in URL");
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) fail(`invalid URL escape ${JSON.stringify(/%.{0,2}/.exec(text)?.[0] ?? "%")}`);
  if (text.startsWith("/")) {
    const [path = "", query = ""] = (text.split("#")[0] ?? "").split("?");
    return { scheme: "", host: "", path, query };
  }
  if (text.startsWith(":")) fail("missing protocol scheme");
  const [, scheme = "", authority, path = "", query = ""] = shape.exec(text) ?? fail("invalid URI for request");
  if (authority === undefined && !path.startsWith("/")) fail("invalid URI for request");
  const host = (authority ?? "").replace(/^.*@/s, "");
  if (/[ <>"]/.test(host)) fail(`invalid character ${JSON.stringify(/[ <>"]/.exec(host)?.[0])} in host name`);
  const port = /^(?:\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(host)?.[1];
  if (port !== undefined && !/^\d*$/.test(port)) fail(`invalid port ${JSON.stringify(`:${port}`)} after host`);
  return { scheme: scheme.toLowerCase(), host, path, query };
}

const locationOf = (value: CelValue | undefined): Location => (value as OpaqueValue<Location>).content;
const hostname = ({ host }: Location): string => host.replace(/:\d*$/, "").replace(/^\[|\]$/g, "");
const port = ({ host }: Location): string => /:(\d*)$/.exec(host)?.[1] ?? "";

function escapePath(path: string): string {
  return encodeURI(decodeURIComponent(path.replace(/%(?=2[fF]|25)/g, "%25")));
}

function queryOf({ query }: Location): CelValue {
  const values = new Map<string, CelValue[]>();
  for (const [name, value] of new URLSearchParams(query)) values.set(name, [...(values.get(name) ?? []), value]);
  const map = new EntryMap();
  for (const [name, list] of values) map.insert(name, new ArrayList(list));
  return map;
}

/** URLs (apiserver `cel/library/urls.go`). */
export const urlLibrary: readonly Overload[] = [
  overload("string_to_url", "url(string): kubernetes.URL", ([text]) =>
    attempt(() => new OpaqueValue(urlType, parseLocation(text as string), text as string)),
  ),
  overload("is_url_string", "isURL(string): bool", succeeds(parseLocation)),
  overload("url_get_scheme", "(kubernetes.URL).getScheme(): string", ([url]) => locationOf(url).scheme),
  overload("url_get_host", "(kubernetes.URL).getHost(): string", ([url]) => locationOf(url).host),
  overload("url_get_hostname", "(kubernetes.URL).getHostname(): string", ([url]) => hostname(locationOf(url))),
  overload("url_get_port", "(kubernetes.URL).getPort(): string", ([url]) => port(locationOf(url))),
  overload("url_get_escaped_path", "(kubernetes.URL).getEscapedPath(): string", ([url]) => escapePath(locationOf(url).path)),
  overload("url_get_query", "(kubernetes.URL).getQuery(): map(string, list(string))", ([url]) => queryOf(locationOf(url))),
];

/** What is wrong with a URL in Go's words; undefined for one that Go would take in a request. */
export function urlProblem(text: string): string | undefined {
  try {
    parseLocation(text);
    return undefined;
  } catch (error) {
    if (error instanceof RangeError) return error.message.replace(/^URL parse error during conversion from string: /, "");
    throw error;
  }
}
