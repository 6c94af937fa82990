import type { Duplex } from "node:stream";
import type { Clock } from "../../clock.ts";
import { StatusError } from "../../kubernetes/status-error.ts";
import type { TunnelTarget } from "./protocol.ts";
import type { StreamBroker, StreamNode } from "./stream-broker.ts";

/** One connection that an agent opened to this process, seen from the server: byte streams to what the node reaches. */
export interface TunnelSession {
  /** Its bytes are held up by a receiver that does not read; its end and its failure are seen on both sides. @throws ConnectError */
  connect(target: TunnelTarget): Promise<Duplex>;
  /** No further streams; ends when the last one has. */
  end(): void;
  /** Ends at once, with all its streams. */
  close(): void;
  /** No stream is open. */
  readonly idle: boolean;
  /** Calls when the last stream has ended, and soon after the opening. */
  onIdle(listener: () => void): void;
  onClose(listener: () => void): void;
}

/** Connections to nodes, which nobody can call: an agent opens a tunnel when it is asked to, and keeps it for a while. */
export interface NodeTunnels {
  /** @throws ConnectError as the node cannot connect; StatusError when there is no way to the node */
  connect(node: StreamNode, target: TunnelTarget): Promise<Duplex>;
  /** A node has opened the tunnel that it was asked for by the stream request `id`. */
  accept(node: StreamNode, id: string, session: TunnelSession): void;
  close(): void;
}

export interface NodeTunnelsOptions {
  readonly broker: Pick<StreamBroker, "open" | "deliver">;
  readonly clock: Clock;
  /** How long a tunnel is kept that nobody uses. */
  readonly idleSeconds?: number;
  /** How often a node is asked whose tunnels come to another process each time. */
  readonly attempts?: number;
  /** Where agents reach this server, without a path, if that is not where they call. */
  readonly url?: string | undefined;
}

export function createNodeTunnels({ broker, clock, idleSeconds = 60, attempts = 1, url }: NodeTunnelsOptions): NodeTunnels {
  const sessions = new Map<string, TunnelSession>();
  const opening = new Map<string, Promise<TunnelSession>>();
  const keyOf = ({ pool, nodeName }: StreamNode): string => `${pool}/${nodeName}`;

  const open = async (node: StreamNode): Promise<TunnelSession> => {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const told = await broker.open(node, { kind: "tunnel", ...(url !== undefined && { url }) });
      await told.cancel();
      const session = sessions.get(keyOf(node));
      if (session !== undefined) return session;
    }
    // What is told through records reaches every process over a store; a connection is of the one that it came to.
    throw new StatusError("ServiceUnavailable", `node ${node.nodeName} opens its tunnels to other processes of this server: try again`, {
      retryAfterSeconds: 1,
    });
  };
  const sessionOf = (node: StreamNode): Promise<TunnelSession> => {
    const key = keyOf(node);
    const known = sessions.get(key);
    if (known) return Promise.resolve(known);
    const under = opening.get(key) ?? open(node).finally(() => opening.delete(key));
    opening.set(key, under);
    return under;
  };

  return {
    connect: async (node, target) => (await sessionOf(node)).connect(target),
    accept(node, id, session) {
      const key = keyOf(node);
      sessions.get(key)?.end();
      sessions.set(key, session);
      const forget = (): void => {
        if (sessions.get(key) === session) sessions.delete(key);
      };
      let cancelIdle = (): void => {};
      session.onIdle(() => {
        cancelIdle();
        cancelIdle = clock.after(idleSeconds * 1000, () => {
          if (!session.idle) return;
          forget();
          session.end();
        });
      });
      session.onClose(() => {
        cancelIdle();
        forget();
      });
      void broker.deliver(node, id, new ReadableStream({ start: (controller) => controller.close() }));
    },
    close() {
      for (const session of sessions.values()) session.close();
      sessions.clear();
    },
  };
}
