import type { Duplex } from "node:stream";
import type { KubernetesObject } from "../../../kubernetes/object.ts";
import { storedAs } from "../../../kubernetes/resources.ts";
import { StatusError, UnexplainedError } from "../../../kubernetes/status-error.ts";
import { admitConnection } from "../../admission.ts";
import type { Call } from "../../cluster-api.ts";
import { ConnectError, type ConnectTarget } from "../../pod-streams.ts";
import { type ApiResponse, text } from "../../response.ts";

/** What stands before every connection (`ConnectResource` of k8s.io/apiserver): its options are admitted. @throws StatusError */
export async function admitOptions(call: Call, options: Readonly<Record<string, unknown>>): Promise<void> {
  const { served, definition, target, user, info, warnings } = call;
  if (info.query.get("dryRun")) throw new StatusError("BadRequest", "dryRun is not supported");
  const { group, version, kind } = definition.subresources.find(({ name }) => name === target.subresource) ?? definition;
  const object: KubernetesObject = { kind, apiVersion: group === "" ? version : `${group}/${version}`, metadata: {}, ...options };
  await admitConnection(served.cluster, {
    operation: "CONNECT",
    served: definition,
    definition: storedAs(definition),
    subresource: target.subresource,
    namespace: target.namespace,
    name: target.name,
    context: { user, dryRun: false, warn: (text) => warnings.push(text), authorizer: served.authorizer },
    schema: undefined,
    object,
  });
}

/** @throws StatusError where this host has no connections, or none to this node; ConnectError */
export async function connect({ served }: Call, nodeName: string, target: ConnectTarget): Promise<Duplex> {
  const { podStreams } = served;
  if (podStreams.connect === undefined)
    throw new StatusError(
      "MethodNotAllowed",
      "this address holds no connections to nodes: exec, attach, portforward and proxy go through a Coracle server that the nodes joined (npm start with CORACLE_TABLE, beside the functions), logs through this one, too",
      {},
    );
  return podStreams.connect(nodeName, target);
}

/**
 * To the servers that hold connections, where this host does not and knows of them: with the same method and body (RFC 9110 §15.4.8). client-go follows it, its token
 * along, by SPDY and by plain requests; its WebSockets take it for a refused upgrade, after which kubectl asks by SPDY.
 */
export function elsewhere({ request, served: { podStreams } }: Call): ApiResponse | undefined {
  const { connect, connectionsUrl } = podStreams;
  if (connect !== undefined || connectionsUrl === undefined) return undefined;
  const said = text(307, `connections to nodes are held by ${connectionsUrl}: kubeconfigs that are asked for now lead there\n`);
  return { ...said, headers: { ...said.headers, location: `${connectionsUrl}${request.root ?? ""}${request.url}` } };
}

/** A failure to reach a node in the words in which kube-apiserver tells it. */
export const dialing = (error: unknown): unknown =>
  error instanceof ConnectError ? new UnexplainedError(`error dialing backend: ${error.message}`) : error;
