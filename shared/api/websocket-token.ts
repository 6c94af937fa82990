/** Where browsers, which can set no headers on a WebSocket, put their token (k8s.io/apiserver `authentication/request/websocket`). */
const tokenPrefix = "base64url.bearer.authorization.k8s.io.";
export const protocolHeader = "sec-websocket-protocol";

const listed = (protocols: string): string[] => protocols.split(",").map((protocol) => protocol.trim());

/** `undefined`: there is none. `bad`: it stands alone, twice, or is no text. */
export function tokenOfProtocols(protocols: string | undefined): { readonly token: string } | "bad" | undefined {
  if (protocols === undefined || !protocols.includes(tokenPrefix)) return undefined;
  const all = listed(protocols);
  const [only, ...more] = all.filter((protocol) => protocol.startsWith(tokenPrefix));
  if (only === undefined || more.length > 0 || all.length < 2) return "bad";
  const encoded = only.slice(tokenPrefix.length);
  const token = Buffer.from(encoded, "base64url").toString("utf8");
  return Buffer.from(token).toString("base64url") === encoded && token !== "" ? { token } : "bad";
}

/** The protocols that are ones. */
export const withoutToken = (protocols: string): string =>
  listed(protocols)
    .filter((protocol) => !protocol.startsWith(tokenPrefix))
    .join(", ");
