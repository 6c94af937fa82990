import type { Duplex } from "node:stream";
import type { Clock } from "../../clock.ts";
import { StatusError } from "../../kubernetes/status-error.ts";
import type { Log } from "../../telemetry/log.ts";
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
  /** Whether a tunnel for this process (`undefined`: for any) is meant for this one. */
  isOf(process: string | undefined): boolean;
  /** A node has opened the tunnel that it was asked for by the stream request `id`. */
  accept(node: StreamNode, id: string, session: TunnelSession): void;
  close(): void;
}

export interface NodeTunnelsOptions {
  readonly broker: Pick<StreamBroker, "open" | "deliver">;
  readonly clock: Clock;
  readonly log: Pick<Log, "warn">;
  /** How long a tunnel is kept that nobody uses. */
  readonly idleSeconds?: number;
  /** Of this process, where there are several at one address. */
  readonly name?: string;
  /** Where agents reach this server, without a path, if that is not where they call. */
  readonly url?: string | undefined;
}

export function createNodeTunnels({ broker, clock, log, idleSeconds = 60, name, url }: NodeTunnelsOptions): NodeTunnels {
  const sessions = new Map<string, TunnelSession>();
  const opening = new Map<string, Promise<TunnelSession>>();
  const keyOf = ({ pool, nodeName }: StreamNode): string => `${pool}/${nodeName}`;

  const open = async (node: StreamNode): Promise<TunnelSession> => {
    const told = await broker.open(node, {
      kind: "tunnel",
      ...(url !== undefined && { url }),
      ...(name !== undefined && { process: name }),
    });
    await told.cancel();
    const session = sessions.get(keyOf(node));
    if (session === undefined)
      throw new StatusError("ServiceUnavailable", `the tunnel of node ${node.nodeName} has ended`, { retryAfterSeconds: 1 });
    return session;
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
    isOf: (process) => process === undefined || process === name,
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
      // Who waits for it hears of it late: what comes meanwhile finds the tunnel there.
      broker.deliver(node, id, new ReadableStream({ start: (controller) => controller.close() })).catch((error: unknown) => {
        log.warn("a tunnel could not be told of", { node: node.nodeName, cause: String(error) });
      });
    },
    close() {
      for (const session of sessions.values()) session.close();
      sessions.clear();
    },
  };
}
