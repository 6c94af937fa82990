import { storedAs } from "../../kubernetes/resources.ts";
import type { StoredObject } from "../../store/store.ts";
import { type Call, encoderOf } from "../cluster-api.ts";
import { needsWebhook, showFresh } from "../conversion/converted-objects.ts";
import type { Encoder } from "../encoder.ts";
import { catchUp, listObjects, parseListOptions, parseResourceVersion, reach } from "../list.ts";
import { mediaTypeOf, type Negotiated, negotiate } from "../negotiation.ts";
import { keyOf } from "../registry.ts";
import { respond } from "../rendering.ts";
import { createEncoder } from "../representation.ts";
import { type ApiResponse, methodNotAllowed, notFound } from "../response.ts";
import { parseSelection } from "../selection.ts";
import { parseWatchOptions, watchObjects } from "../watch.ts";

export function encoderFor({ served, definition }: Call, { form, encoding }: Negotiated): Encoder {
  if (form.kind === "object") return encoderOf(served, definition, encoding);
  return createEncoder(definition, form, encoding, () => served.cluster.clock.now());
}

export async function readObject(call: Call): Promise<ApiResponse> {
  const { definition } = call;
  if (!definition.verbs.has("get")) throw methodNotAllowed();
  const negotiated = negotiate(call);
  const stored = await findLive(call);
  return respond(200, encoderFor(call, negotiated).object(stored), negotiated);
}

/** The object that the path names, at least as new as the query asks. @throws StatusError `NotFound` */
export async function findLive(call: Call): Promise<StoredObject> {
  const { served, info } = call;
  const resourceVersion = info.query.get("resourceVersion") ?? "";
  const wanted = parseResourceVersion(resourceVersion);
  if (resourceVersion === "") return findNewest(call);
  if (wanted > 0) await reach(served.cluster, wanted);
  return find(call);
}

/** The same in its newest state: what the query says is about something else. @throws StatusError `NotFound` */
export async function findNewest(call: Call): Promise<StoredObject> {
  await catchUp(call.served.cluster);
  return find(call);
}

async function find({ served: { cluster }, definition, target }: Call): Promise<StoredObject> {
  const stored = storedAs(definition);
  const found = cluster.mirror.get(stored, keyOf(stored, target.namespace, "").namespace, target.name);
  if (!found) throw notFound(definition.group, definition.resource, target.name);
  return needsWebhook(definition) ? showFresh(cluster, definition, found) : found;
}

export async function readCollection(call: Call): Promise<ApiResponse> {
  const { definition, info, target, served } = call;
  if (!definition.verbs.has("list")) throw methodNotAllowed();
  const negotiated = negotiate(call, "collection");
  const selection = parseSelection(definition, info.query);
  const stored = storedAs(definition);
  const namespace = definition.namespaced ? target.namespace : "";
  const result = await listObjects(served.cluster, stored, namespace, selection, parseListOptions(info.query));
  return respond(200, encoderFor(call, negotiated).list(result), negotiated);
}

export async function watchCollection(call: Call): Promise<ApiResponse> {
  const { definition, info, target, served } = call;
  if (!definition.verbs.has("watch")) throw methodNotAllowed();
  const negotiated = negotiate(call, "stream");
  const selection = parseSelection(definition, info.query);
  const named = target.name === "" ? selection : { ...selection, all: false, name: target.name };
  const stored = storedAs(definition);
  const namespace = definition.namespaced ? target.namespace : "";
  const options = parseWatchOptions(info.query, served.cluster.random);
  const body = await watchObjects(served.cluster, stored, namespace, named, options, encoderFor(call, negotiated));
  return { status: 200, headers: { "content-type": streamTypeOf(negotiated), "cache-control": "no-cache, private" }, body };
}

const streamTypeOf = ({ encoding }: Negotiated): string =>
  encoding === "json" ? mediaTypeOf.json : `${mediaTypeOf[encoding]};stream=watch`;
