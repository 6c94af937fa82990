import { certificateSigningRequests } from "../kubernetes/known-resources.ts";
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from "../kubernetes/types.ts";
import { type Change, type ClusterView, objectOf } from "../store/view.ts";
import { isOf } from "./same-resource.ts";

type Test = (request: CertificateSigningRequest) => boolean;

export const hasCondition = ({ status }: CertificateSigningRequest, wanted: string): boolean =>
  status?.conditions?.some(({ type }) => type === wanted) === true;

export const isIssued = ({ status }: CertificateSigningRequest): boolean => (status?.certificate ?? "") !== "";

export function requestOf(view: ClusterView, name: string): CertificateSigningRequest | undefined {
  const stored = view.get(certificateSigningRequests, "", name);
  return stored && objectOf<CertificateSigningRequest>(stored);
}

export const namesOf = (view: ClusterView, test: Test): string[] =>
  view.list(certificateSigningRequests).flatMap((stored) => (test(objectOf<CertificateSigningRequest>(stored)) ? [stored.key.name] : []));

export const nameOf = (change: Change, test: Test): string[] =>
  isOf(certificateSigningRequests, change.key) && change.type !== "DELETED" && test(objectOf<CertificateSigningRequest>(change))
    ? [change.key.name]
    : [];

export function withCondition(
  request: CertificateSigningRequest,
  condition: CertificateSigningRequestCondition,
): CertificateSigningRequest {
  return { ...request, status: { ...request.status, conditions: [...(request.status?.conditions ?? []), condition] } };
}
