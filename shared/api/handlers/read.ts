import { stringify as toYaml } from "yaml";
import { storageResource } from "../../kubernetes/resources.ts";
import type { StoredObject } from "../../store/store.ts";
import { type Call, encoderOf } from "../cluster-api.ts";
import { needsWebhook, showFresh } from "../conversion/converted-objects.ts";
import { catchUp, listObjects, parseListOptions, parseResourceVersion, reach } from "../list.ts";
import { type Negotiated, negotiate } from "../negotiation.ts";
import { keyOf } from "../registry.ts";
import { createEncoder, type Encoder } from "../representation.ts";
import { type ApiResponse, json, methodNotAllowed, notFound } from "../response.ts";
import { parseSelection } from "../selection.ts";
import { parseWatchOptions, watchObjects } from "../watch.ts";

export function encoderFor({ served, definition }: Call, { form }: Negotiated): Encoder {
  return form.kind === "object" ? encoderOf(served, definition) : createEncoder(definition, form, () => served.cluster.clock.now());
}

/** An answer of whole buffers; YAML is made from the JSON on the way out. */
export function respond(
  status: number,
  chunks: readonly Buffer[],
  { yaml }: Negotiated,
  headers?: Readonly<Record<string, string>>,
): ApiResponse {
  if (!yaml) return json(status, chunks, headers);
  const body = Buffer.from(toYaml(JSON.parse(Buffer.concat(chunks).toString("utf8"))));
  return { status, headers: { ...headers, "content-type": "application/yaml", "cache-control": "no-cache, private" }, body };
}

export async function readObject(call: Call): Promise<ApiResponse> {
  const { definition, info, request } = call;
  if (!definition.verbs.has("get")) throw methodNotAllowed();
  const negotiated = negotiate(request.header("accept"), info.query);
  const stored = await findLive(call);
  return respond(200, encoderFor(call, negotiated).object(stored), negotiated);
}

/** The object that the path names, at least as new as the query asks. @throws StatusError `NotFound` */
export async function findLive({ served: { cluster }, definition, info, target }: Call): Promise<StoredObject> {
  const resourceVersion = info.query.get("resourceVersion") ?? "";
  const wanted = parseResourceVersion(resourceVersion);
  if (resourceVersion === "") await catchUp(cluster);
  else if (wanted > 0) await reach(cluster, wanted);
  const stored = definition.custom ? definition : (storageResource(definition) ?? definition);
  const found = cluster.mirror.get(stored, keyOf(stored, target.namespace, "").namespace, target.name);
  if (!found) throw notFound(definition.group, definition.resource, target.name);
  return needsWebhook(definition) ? showFresh(cluster, definition, found) : found;
}

export async function readCollection(call: Call): Promise<ApiResponse> {
  const { definition, info, target, request, served } = call;
  if (!definition.verbs.has("list")) throw methodNotAllowed();
  const negotiated = negotiate(request.header("accept"), info.query, "collection");
  const selection = parseSelection(definition, info.query);
  const stored = definition.custom ? definition : (storageResource(definition) ?? definition);
  const namespace = definition.namespaced ? target.namespace : "";
  const result = await listObjects(served.cluster, stored, namespace, selection, parseListOptions(info.query));
  return respond(200, encoderFor(call, negotiated).list(result), negotiated);
}

export async function watchCollection(call: Call): Promise<ApiResponse> {
  const { definition, info, target, request, served } = call;
  if (!definition.verbs.has("watch")) throw methodNotAllowed();
  const negotiated = negotiate(request.header("accept"), info.query, "collection");
  parseListOptions(info.query);
  const selection = parseSelection(definition, info.query);
  const named = target.name === "" ? selection : { ...selection, all: false, name: target.name };
  const stored = definition.custom ? definition : (storageResource(definition) ?? definition);
  const namespace = definition.namespaced ? target.namespace : "";
  const options = parseWatchOptions(info.query, served.cluster.random);
  const body = await watchObjects(served.cluster, stored, namespace, named, options, encoderFor(call, negotiated));
  return { status: 200, headers: { "content-type": "application/json", "cache-control": "no-cache, private" }, body };
}
