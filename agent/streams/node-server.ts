import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Pod } from "../../shared/kubernetes/types.ts";
import { type ContainerStreams, RuntimeError } from "../runtime.ts";
import { serveCommandOverSpdy } from "./command-over-spdy.ts";
import { serveCommandOverWebSocket } from "./command-over-websocket.ts";
import { commandOptions, type UpgradeRequest } from "./command-request.ts";
import type { CommandOutcome } from "./command-status.ts";
import { type ForwardedPod, forwardOverSpdy, forwardOverWebSocket } from "./port-forward.ts";

/** The pods of one cluster on this node, for its API. */
export interface NodePods {
  list(): readonly Pod[];
  /** The running container. @throws NodeRefusal */
  exec(pod: Pod, container: string, command: readonly string[]): Promise<(io: ContainerStreams) => Promise<{ exitCode: number }>>;
  attach(pod: Pod, container: string): Promise<(io: ContainerStreams) => Promise<void>>;
  forward(pod: Pod): Promise<ForwardedPod["forward"]>;
  log(pod: Pod, container: string, query: URLSearchParams): Promise<ReadableStream<Uint8Array>>;
}

/** What the node answers instead. */
export class NodeRefusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = "NodeRefusal";
    this.status = status;
  }
}

/**
 * The node's HTTP server: kubelet's paths, spoken over tunnels alone. Nothing listens for it. Which cluster's pods a connection sees is settled by
 * whoever hands it in.
 */
export function createNodeServer(podsOf: (cluster: string) => NodePods): {
  serve(connection: Duplex, cluster: string): void;
  close(): void;
} {
  const clusters = new WeakMap<object, string>();
  const podsFor = ({ socket }: IncomingMessage): NodePods => podsOf(clusters.get(socket) ?? "");
  const server = createServer((message, response) => {
    answer(podsFor(message), message, response).catch((error: unknown) => fail(response, error));
  });
  server.on("upgrade", (message: IncomingMessage, connection: Duplex, head: Buffer) => {
    if (head.length > 0) connection.unshift(head);
    connection.on("error", () => connection.destroy());
    const request: UpgradeRequest = {
      connection,
      header: (name) => {
        const value = message.headers[name];
        return Array.isArray(value) ? value.join(", ") : value;
      },
      refuse(status, text) {
        const bytes = Buffer.from(`${text}\n`);
        connection.end(
          `HTTP/1.1 ${status} Refused\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${bytes.length}\r\nConnection: close\r\n\r\n${text}\n`,
        );
      },
    };
    upgrade(podsFor(message), message, request).catch((error: unknown) => {
      if (error instanceof NodeRefusal) request.refuse(error.status, error.message);
      else request.refuse(500, error instanceof Error ? error.message : String(error));
    });
  });
  return {
    serve(connection, cluster) {
      clusters.set(connection, cluster);
      server.emit("connection", connection);
    },
    close: () => server.closeAllConnections(),
  };
}

interface Route {
  readonly verb: string;
  readonly namespace: string;
  readonly pod: string;
  /** Absent: whichever has the name. */
  readonly uid: string | undefined;
  readonly container: string;
  readonly query: URLSearchParams;
}

const verbs = new Set(["exec", "attach", "portForward", "containerLogs"]);

function routeOf(url: string): Route | undefined {
  const { pathname, searchParams: query } = new URL(url, "http://node");
  const [, verb = "", namespace = "", pod = "", ...rest] = pathname.split("/").map(decodeURIComponent);
  if (!verbs.has(verb) || pod === "") return undefined;
  const container = verb === "portForward" ? "" : (rest.pop() ?? "");
  const [uid] = rest;
  return rest.length > 1 ? undefined : { verb, namespace, pod, uid, container, query };
}

function podOf(pods: NodePods, { namespace, pod: name, uid }: Route): Pod {
  const found = pods.list().find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  if (!found) throw new NodeRefusal(404, "pod does not exist");
  if (uid !== undefined && found.metadata.uid !== uid) throw new NodeRefusal(404, "pod not found");
  return found;
}

async function answer(pods: NodePods, message: IncomingMessage, response: ServerResponse): Promise<void> {
  const { url = "/" } = message;
  const text = { "content-type": "text/plain; charset=utf-8" };
  const [path] = url.split("?");
  if (path === "/healthz") return void response.writeHead(200, text).end("ok");
  if (path === "/pods") {
    const list = { kind: "PodList", apiVersion: "v1", metadata: {}, items: pods.list() };
    return void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(list));
  }
  const route = routeOf(url);
  if (!route) return void response.writeHead(404, text).end("404 page not found\n");
  if (route.verb !== "containerLogs") throw new NodeRefusal(400, "Upgrade request required");
  const log = await pods.log(podOf(pods, route), route.container, route.query);
  response.writeHead(200, { "content-type": "text/plain" });
  for await (const chunk of log)
    if (!response.write(chunk)) await new Promise((resolve) => response.once("drain", resolve).once("close", resolve));
  response.end();
}

function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy();
  const [status, text] = error instanceof NodeRefusal ? [error.status, error.message] : [500, String(error)];
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${text}\n`);
}

async function upgrade(pods: NodePods, message: IncomingMessage, request: UpgradeRequest): Promise<void> {
  const route = routeOf(message.url ?? "/");
  if (!route || route.verb === "containerLogs") throw new NodeRefusal(404, "404 page not found");
  const isWebSocket = (request.header("upgrade") ?? "").toLowerCase() === "websocket";
  const pod = podOf(pods, route);
  if (route.verb === "portForward") {
    const forwarded = { name: route.pod, uid: pod.metadata.uid ?? "", forward: await pods.forward(pod) };
    return isWebSocket ? forwardOverWebSocket(request, message, forwarded, route.query) : forwardOverSpdy(request, forwarded);
  }
  const options = commandOptions(route.query);
  if (!options) throw new NodeRefusal(400, "you must specify at least 1 of stdin, stdout, stderr");
  const run = await runnerOf(pods, pod, route);
  return isWebSocket ? serveCommandOverWebSocket(request, message, options, run) : serveCommandOverSpdy(request, options, run);
}

async function runnerOf(
  pods: NodePods,
  pod: Pod,
  { verb, container, query }: Route,
): Promise<(io: ContainerStreams) => Promise<CommandOutcome>> {
  const [run, failing] =
    verb === "exec"
      ? [await pods.exec(pod, container, query.getAll("command")), "error executing command in container"]
      : [await pods.attach(pod, container), "error attaching to container"];
  return async (io) => {
    try {
      const ended = await run(io);
      return { kind: "exited", exitCode: ended?.exitCode ?? 0 };
    } catch (error) {
      return { kind: "failed", message: `${failing}: ${error instanceof RuntimeError ? error.message : String(error)}` };
    }
  };
}
