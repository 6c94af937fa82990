import { type IncomingMessage, ServerResponse } from "node:http";
import type { Server } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { mayUpgrade } from "../shared/api/request-info.ts";
import { isClusterPath } from "../shared/api/surface.ts";

export interface AcceptTunnel {
  isTunnelPath(path: string): boolean;
  /** `accept` answers the 101 and gives the connection away once that is sent. Otherwise the answer is a refusal. */
  accept(path: string, header: (name: string) => string | undefined, accept: () => Promise<Duplex>): Promise<Response | undefined>;
}

/** Answers the 101 with these headers; resolves to the connection when that is sent. */
type SwitchTo = (headers: Readonly<Record<string, string>>) => Promise<Duplex>;
export type Failed = (response: ServerResponse) => (error: unknown) => void;

interface UpgradeOptions {
  /** The cluster API. */
  readonly serve: (request: IncomingMessage, response: ServerResponse, switchTo: SwitchTo) => Promise<void>;
  readonly tunnel: AcceptTunnel | undefined;
  readonly failed: Failed;
}

export function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(", ") : value;
}

/** Whether a request that asks for another protocol is to be an upgrade; any other is served as if it had not asked. */
export const wantsUpgrade =
  (tunnel: AcceptTunnel | undefined) =>
  ({ url = "/" }: IncomingMessage): boolean =>
    isClusterPath(url) ? mayUpgrade(url) : tunnel?.isTunnelPath(url) === true;

/** Serves requests that ask to go on in another protocol: of clients to pods and nodes, and of agents for tunnels. */
export function takeUpgrades(server: Server, { serve, tunnel, failed }: UpgradeOptions): void {
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (head.length > 0) socket.unshift(head);
    // Until it has a taker: a client that goes away meanwhile is nobody's error.
    socket.on("error", () => socket.destroy());
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    response.once("finish", () => socket.end());
    // Only when the answer is sent: HTTP/2 takes the connection over below its stream, and a write under way there would bring the process down.
    const switchTo: SwitchTo = (headers) => {
      response.detachSocket(socket as Socket);
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      return new Promise((resolve) => {
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("")}\r\n`, () => resolve(socket));
      });
    };
    const { url = "/" } = request;
    const upgrade = async (): Promise<void> => {
      if (isClusterPath(url)) return serve(request, response, switchTo);
      const refused = await tunnel?.accept(
        url,
        (name) => headerOf(request, name),
        () => switchTo({ connection: "Upgrade", upgrade: String(request.headers.upgrade) }),
      );
      if (refused) response.writeHead(refused.status, Object.fromEntries(refused.headers)).end(await refused.text());
    };
    upgrade().catch(failed(response));
  });
}
