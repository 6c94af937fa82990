import { listed, type UpgradeRequest } from "../command-request.ts";
import { createSpdyConnection, type SpdyConnection, type SpdyStream, spdyProtocol } from "./connection.ts";

export interface AcceptedSpdy {
  readonly spdy: SpdyConnection;
  /** Absent: the client named none. */
  readonly protocol: string | undefined;
}

/** Answers a request to go on in SPDY/3.1 in the first of `protocols` that the client speaks; undefined: it was refused (`httpstream.Handshake`). */
export function acceptSpdy(
  request: UpgradeRequest,
  protocols: readonly string[],
  onStream: (stream: SpdyStream) => "refused" | undefined,
): AcceptedSpdy | undefined {
  const header = request.header("x-stream-protocol-version");
  const offered = listed(header);
  const protocol = offered.find((each) => protocols.includes(each));
  if (protocol === undefined && offered.length > 0) {
    request.refuse(
      403,
      `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(" ")}], server accepts [${protocols.join(" ")}]`,
    );
    return undefined;
  }
  if ((request.header("upgrade") ?? "").toLowerCase() !== spdyProtocol.toLowerCase()) {
    request.refuse(400, "unable to upgrade: missing upgrade headers in request");
    return undefined;
  }
  const { connection } = request;
  const chosen = protocol === undefined ? "" : `X-Stream-Protocol-Version: ${protocol}\r\n`;
  connection.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${spdyProtocol}\r\n${chosen}\r\n`);
  return { spdy: createSpdyConnection(connection, { role: "server", onStream }), protocol };
}
