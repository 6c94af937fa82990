import { nodes } from "../../../kubernetes/known-resources.ts";
import { StatusError } from "../../../kubernetes/status-error.ts";
import type { Pod } from "../../../kubernetes/types.ts";
import type { Call } from "../../cluster-api.ts";
import { isTrue, parseInt64 } from "../../request-info.ts";
import { type ApiResponse, methodNotAllowed, notFound } from "../../response.ts";
import { findNewest } from "../read.ts";
import { admitOptions, connect, dialing, elsewhere } from "./connection.ts";
import { chooseContainer } from "./container.ts";
import { forwardedHeaders, sendUpgrade } from "./forward-http.ts";

/**
 * `exec`, `attach` and `portforward` of a pod: the client's connection goes on to the server of the pod's node, which speaks the protocols
 * (SPDY/3.1, WebSocket) with it. GET and POST, as browsers open WebSockets with GET alone.
 */
export async function streamToPod(call: Call): Promise<ApiResponse> {
  const { request, target, info } = call;
  if (request.method !== "GET" && request.method !== "POST") throw methodNotAllowed();
  const redirected = elsewhere(call);
  if (redirected) return redirected;
  const { query } = info;
  const forwarding = target.subresource === "portforward";
  const options = forwarding ? { ports: query.getAll("ports").map(parseInt64) } : streamOptions(query, target.subresource === "exec");
  await admitOptions(call, nonEmpty(options));
  const pod = (await findNewest(call)).object as Pod;
  const { namespace = "", name = "", uid = "" } = pod.metadata;
  const container = forwarding ? "" : `/${chooseContainer(pod, query.get("container") ?? "", name)}`;
  const nodeName = pod.spec?.nodeName ?? "";
  if (nodeName === "") throw new StatusError("BadRequest", `pod ${name} does not have a host assigned`);
  if (!call.served.cluster.mirror.get(nodes, "", nodeName)) throw notFound("", "nodes", nodeName);
  if (call.served.podStreams.connect !== undefined && !request.upgradable) throw new StatusError("BadRequest", "Upgrade request required");
  const path = `/${forwarding ? "portForward" : target.subresource}/${namespace}/${name}/${uid}${container}?${nodeQuery(options)}`;
  try {
    const connection = await connect(call, nodeName, { kind: "node" });
    return await sendUpgrade(connection, { method: request.method, path, headers: forwardedHeaders(request, true) });
  } catch (error) {
    throw dialing(error);
  }
}

interface StreamOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
  readonly container: string;
  readonly command?: readonly string[];
}

const streamOptions = (query: URLSearchParams, runs: boolean): StreamOptions => ({
  stdin: isTrue(query.get("stdin")),
  stdout: isTrue(query.get("stdout")),
  stderr: isTrue(query.get("stderr")),
  tty: isTrue(query.get("tty")),
  container: query.get("container") ?? "",
  ...(runs && { command: query.getAll("command") }),
});

/** As Go marshals them: what is empty is left out. */
const nonEmpty = (options: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== false && value !== "" && !(Array.isArray(value) && value.length === 0)),
  );

/** The query of kubelet's server, whose words differ from those of the API. */
function nodeQuery(options: StreamOptions | { readonly ports: readonly number[] }): URLSearchParams {
  const query = new URLSearchParams();
  if ("ports" in options) {
    if (options.ports.length > 0) query.set("port", options.ports.join(","));
    return query;
  }
  const { stdin, stdout, stderr, tty, command = [] } = options;
  for (const [name, value] of Object.entries({ input: stdin, output: stdout, error: stderr, tty })) if (value) query.set(name, "1");
  for (const word of command) query.append("command", word);
  return query;
}
