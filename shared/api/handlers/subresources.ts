import type { Call } from "../cluster-api.ts";
import { evictPod } from "../eviction.ts";
import { negotiate } from "../negotiation.ts";
import type { UpdateSubresource } from "../registry.ts";
import { respond } from "../rendering.ts";
import { type ApiResponse, methodNotAllowed, noSuchResource, notFound } from "../response.ts";
import { bindOne } from "./bind.ts";
import { streamToPod } from "./connect/pod-streams.ts";
import { proxyTo } from "./connect/proxy.ts";
import { readPodLog } from "./pod-log.ts";
import { encoderFor, findLive } from "./read.ts";
import { handleScale } from "./scale.ts";
import { requestToken } from "./tokens.ts";
import { patchOne, updateOne } from "./write.ts";

const plainUpdates: Readonly<Record<string, UpdateSubresource>> = {
  status: "status",
  finalize: "finalize",
  approval: "approval",
  resize: "resize",
  ephemeralcontainers: "ephemeralcontainers",
};

export async function handleSubresource(call: Call): Promise<ApiResponse> {
  const { definition, target, request } = call;
  const subresource = definition.subresources.find(({ name }) => name === target.subresource);
  if (!subresource && definition.custom) throw notFound(definition.group, definition.resource, target.name);
  if (!subresource || target.name === "") throw noSuchResource();
  const { method } = request;
  const full = `${definition.resource}/${target.subresource}`;
  if (full === "pods/log" && method === "GET") return readPodLog(call);
  if (full === "pods/binding" && method === "POST") return bindOne(call);
  if (full === "pods/eviction" && method === "POST") return evictPod(call);
  if (full === "serviceaccounts/token" && method === "POST") return requestToken(call);
  if (target.subresource === "scale") return handleScale(call);
  if (full === "pods/exec" || full === "pods/attach" || full === "pods/portforward") return streamToPod(call);
  if (target.subresource === "proxy" && definition.group === "") return proxyTo(call);
  const update = plainUpdates[target.subresource];
  if (update === undefined) throw methodNotAllowed();
  if (method === "PUT") return updateOne(call, update);
  if (method === "PATCH" && target.subresource !== "finalize") return patchOne(call, update);
  if (method !== "GET" && method !== "HEAD") throw methodNotAllowed();
  const negotiated = negotiate(call);
  return respond(200, encoderFor(call, negotiated).object(await findLive(call)), negotiated);
}
