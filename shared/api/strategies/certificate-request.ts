import { cloneJson } from "../../kubernetes/clone.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from "../../kubernetes/types.ts";
import type { Body, Preparing, Strategy } from "../strategy.ts";

const decisions = ["Approved", "Denied"];

/** Who asks is what the server knows of him, and nobody changes what he asked for (pkg/registry/certificates/certificates). */
export const certificateRequestStrategy = (plain: Strategy): Strategy => ({
  ...plain,
  resetFields: {
    main: [["spec"], ["status"]],
    status: [["spec"], ["status", "conditions"]],
    approval: [["spec"], ["status", "certificate"]],
  },
  prepareCreate(object, { user: { username, uid, groups, extra } }) {
    const request = requestOf(object);
    const { username: _username, uid: _uid, groups: _groups, extra: _extra, ...asked } = request.spec;
    const whose = {
      username,
      ...(uid && { uid }),
      groups: [...groups],
      ...(extra && { extra: cloneJson(extra) as Record<string, string[]> }),
    };
    request.spec = { ...asked, ...whose };
  },
  prepareUpdate(next, live) {
    if (live.spec) next.spec = cloneJson(live.spec);
  },
  prepareStatus(next, live, { nowIso }) {
    const [request, before] = [requestOf(next), requestOf(live)];
    const conditions = [...(request.status?.conditions ?? [])];
    for (const type of decisions) {
      const ofType = (all: readonly CertificateSigningRequestCondition[]) => all.filter((condition) => condition.type === type);
      const kept = ofType(before.status?.conditions ?? []);
      if (kept.length !== ofType(conditions).length) continue;
      conditions.forEach((condition, index) => {
        if (condition.type === type) conditions[index] = kept.shift() ?? condition;
      });
    }
    if (conditions.length > 0) request.status = { ...request.status, conditions: dated(conditions, before, nowIso) };
  },
  prepareApproval(next, live, { nowIso }) {
    const [request, before] = [requestOf(next), requestOf(live)];
    const conditions = dated(request.status?.conditions ?? [], before, nowIso);
    const { conditions: _, ...kept } = before.status ?? {};
    request.status = { ...kept, ...(conditions.length > 0 && { conditions }) };
  },
});

const requestOf = (body: Body): CertificateSigningRequest => body as KubernetesObject as CertificateSigningRequest;

/** A condition that stays as it was keeps the time since when it is so. */
function dated(
  conditions: readonly CertificateSigningRequestCondition[],
  { status }: CertificateSigningRequest,
  nowIso: Preparing["nowIso"],
): CertificateSigningRequestCondition[] {
  return conditions.map((condition) => {
    const same = status?.conditions?.find((other) => other.type === condition.type && other.status === condition.status);
    const lastTransitionTime = condition.lastTransitionTime ?? same?.lastTransitionTime ?? nowIso;
    return { ...condition, lastUpdateTime: condition.lastUpdateTime ?? nowIso, lastTransitionTime };
  });
}
