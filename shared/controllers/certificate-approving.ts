import { readCertificateRequest } from "../auth/certificate-signing.ts";
import { kubeletClientProblem } from "../auth/kubelet-certificates.ts";
import type { RbacAuthorizer } from "../auth/rbac.ts";
import { certificateSigningRequests, clusterRoleBindings, clusterRoles } from "../kubernetes/known-resources.ts";
import type { CertificateSigningRequest } from "../kubernetes/types.ts";
import { hasCondition, isIssued, nameOf, namesOf, requestOf, withCondition } from "./certificate-request-state.ts";
import type { Controller } from "./controller.ts";
import { unlessMissing } from "./failures.ts";
import { isOf } from "./same-resource.ts";

const kubeletSigner = "kubernetes.io/kube-apiserver-client-kubelet";

/** Approves what kubelets ask for if who asks may have it (kube-controller-manager's certificatesigningrequest-approving-controller). */
export function createCertificateApprovingController(authorizer: Pick<RbacAuthorizer, "authorize">): Controller {
  const may = ({ spec: { username = "", uid, groups = [], extra } }: CertificateSigningRequest, subresource: string): boolean =>
    authorizer.authorize(
      { username, ...(uid !== undefined && { uid }), groups, ...(extra && { extra }) },
      { kind: "resource", verb: "create", ...certificateSigningRequests, subresource, namespace: "", name: "" },
    ).allowed;
  return {
    name: "certificatesigningrequest-approving",
    allKeys: (view) => namesOf(view, isWaiting),
    keysOf(change, view) {
      // Who may not have one now may when roles change.
      const ofRoles = isOf(clusterRoleBindings, change.key) || isOf(clusterRoles, change.key);
      return ofRoles ? namesOf(view, isWaiting) : nameOf(change, isWaiting);
    },
    async reconcile(name, { view, client }) {
      const request = requestOf(view, name);
      if (!request || !isWaiting(request)) return { kind: "done" };
      const asked = await readCertificateRequest(request.spec.request);
      if (!asked || kubeletClientProblem(asked, request.spec.usages ?? []) !== undefined) return { kind: "done" };
      const self = request.spec.username === asked.commonName && may(request, "selfnodeclient");
      if (!self && !may(request, "nodeclient")) return { kind: "done" };
      const message = `Auto approving ${self ? "self " : ""}kubelet client certificate after SubjectAccessReview.`;
      const approved = withCondition(request, { type: "Approved", status: "True", reason: "AutoApproved", message });
      await unlessMissing(client.update(certificateSigningRequests, approved, { subresource: "approval" }));
      return { kind: "done" };
    },
  };
}

const isWaiting = (request: CertificateSigningRequest): boolean =>
  request.spec.signerName === kubeletSigner && !isIssued(request) && !hasCondition(request, "Approved") && !hasCondition(request, "Denied");
