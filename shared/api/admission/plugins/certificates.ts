import { deepEqual } from "../../../kubernetes/deep-equal.ts";
import type { CertificateSigningRequest } from "../../../kubernetes/types.ts";
import { type AdmissionAttributes, type AdmissionPlugin, denied } from "../attributes.ts";
import { subjectOf } from "../certificate-request.ts";

const clientSigner = "kubernetes.io/kube-apiserver-client";
const superusers = "system:masters";

/** CertificateApproval: who approves may `approve` for the signer, or for all of its domain. */
export const certificateApproval: AdmissionPlugin = {
  validate(_cluster, attributes) {
    if (attributes.operation !== "UPDATE" || attributes.subresource !== "approval") return;
    const { signerName = "" } = (attributes.oldObject as CertificateSigningRequest).spec ?? {};
    if (!mayFor(attributes, "approve", signerName))
      throw denied(attributes, `user not permitted to approve requests with signerName ${JSON.stringify(signerName)}`);
  },
};

/** CertificateSigning: who sets the certificate or a condition through the status may `sign` for the signer. */
export const certificateSigning: AdmissionPlugin = {
  validate(_cluster, attributes) {
    if (attributes.operation !== "UPDATE" || attributes.subresource !== "status") return;
    const [next, live] = [attributes.object as CertificateSigningRequest, attributes.oldObject as CertificateSigningRequest];
    const same =
      next.status?.certificate === live.status?.certificate && deepEqual(next.status?.conditions ?? [], live.status?.conditions ?? []);
    const { signerName = "" } = live.spec ?? {};
    if (!same && !mayFor(attributes, "sign", signerName))
      throw denied(attributes, `user not permitted to sign requests with signerName ${JSON.stringify(signerName)}`);
  },
};

/** CertificateSubjectRestriction: nobody asks to be of `system:masters`. */
export const certificateSubject: AdmissionPlugin = {
  async validate(_cluster, attributes) {
    if (attributes.operation !== "CREATE" || attributes.subresource !== "") return;
    const { spec } = attributes.object as CertificateSigningRequest;
    if (spec?.signerName !== clientSigner) return;
    let organizations: readonly string[];
    try {
      ({ organizations } = await subjectOf(spec.request));
    } catch (error) {
      throw denied(attributes, `failed to parse CSR: ${error instanceof Error ? error.message : "not a certificate request"}`);
    }
    if (organizations.includes(superusers))
      throw denied(attributes, `use of ${clientSigner} signer with ${superusers} group is not allowed`);
  },
};

function mayFor({ context: { user, authorizer } }: AdmissionAttributes, verb: string, signerName: string): boolean {
  if (!authorizer) return true;
  const may = (name: string): boolean =>
    authorizer.authorize(user, {
      ...{ kind: "resource", verb, group: "certificates.k8s.io", resource: "signers", subresource: "", namespace: "", name },
    }).allowed;
  return may(signerName) || may(`${signerName.split("/")[0]}/*`);
}
