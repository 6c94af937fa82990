import { type ClusterAuthority, readCertificateRequest } from "../auth/certificate-signing.ts";
import { type SignerName, signerProblem } from "../auth/kubelet-certificates.ts";
import { certificateSigningRequests } from "../kubernetes/known-resources.ts";
import type { CertificateSigningRequest } from "../kubernetes/types.ts";
import { hasCondition, isIssued, nameOf, namesOf, requestOf, withCondition } from "./certificate-request-state.ts";
import type { Controller } from "./controller.ts";
import { unlessMissing } from "./failures.ts";

const signers: readonly SignerName[] = [
  "kubernetes.io/kube-apiserver-client",
  "kubernetes.io/kube-apiserver-client-kubelet",
  "kubernetes.io/kubelet-serving",
];

/** Signs what is approved for Kubernetes' own signers, or says why not (kube-controller-manager's certificatesigningrequest-signing-controller). */
export function createCertificateSigningController(authority: ClusterAuthority): Controller {
  async function answer(signer: SignerName, request: CertificateSigningRequest, nowMs: number): Promise<CertificateSigningRequest> {
    const { request: text, usages = [], expirationSeconds } = request.spec;
    const asked = await readCertificateRequest(text);
    const problem = asked ? signerProblem(signer, asked, usages) : "the request cannot be read";
    const outcome =
      problem === undefined
        ? await authority.sign({ request: text, usages, expirationSeconds, nowMs })
        : ({ kind: "refused", reason: problem } as const);
    if (outcome.kind === "signed")
      return { ...request, status: { ...request.status, certificate: Buffer.from(outcome.pem).toString("base64") } };
    return withCondition(request, { type: "Failed", status: "True", reason: "SignerValidationFailure", message: outcome.reason });
  }

  return {
    name: "certificatesigningrequest-signing",
    allKeys: (view) => namesOf(view, isDue),
    keysOf: (change) => nameOf(change, isDue),
    async reconcile(name, { view, client, clock }) {
      const request = requestOf(view, name);
      const signer = request && signerOf(request);
      if (!request || signer === undefined || !isDue(request)) return { kind: "done" };
      const answered = await answer(signer, request, clock.now());
      await unlessMissing(client.update(certificateSigningRequests, answered, { subresource: "status" }));
      return { kind: "done" };
    },
  };
}

const signerOf = ({ spec }: CertificateSigningRequest): SignerName | undefined => signers.find((signer) => signer === spec.signerName);

const isDue = (request: CertificateSigningRequest): boolean =>
  signerOf(request) !== undefined &&
  hasCondition(request, "Approved") &&
  !["Denied", "Failed"].some((type) => hasCondition(request, type)) &&
  !isIssued(request);
