/** What a PKCS #10 request asks for. */
export interface RequestedCertificate {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly emailAddresses: readonly string[];
  readonly uris: readonly string[];
}

export type SignerName =
  | "kubernetes.io/kube-apiserver-client"
  | "kubernetes.io/kube-apiserver-client-kubelet"
  | "kubernetes.io/kubelet-serving";

/** Why the signer refuses the request; `undefined` when it does not (kubernetes/pkg/apis/certificates `helpers.go`, certificates/signer). */
export function signerProblem(signer: SignerName, request: RequestedCertificate, usages: readonly string[]): string | undefined {
  switch (signer) {
    case "kubernetes.io/kube-apiserver-client":
      return clientUsageProblem(usages);
    case "kubernetes.io/kube-apiserver-client-kubelet":
      return kubeletClientProblem(request, usages);
    case "kubernetes.io/kubelet-serving":
      return kubeletServingProblem(request, usages);
    default:
      return signer satisfies never;
  }
}

export function kubeletClientProblem(request: RequestedCertificate, usages: readonly string[]): string | undefined {
  if (!isOfNodes(request)) return "subject organization is not system:nodes";
  if (request.dnsNames.length > 0) return "DNS subjectAltNames are not allowed";
  if (request.emailAddresses.length > 0) return "Email subjectAltNames are not allowed";
  if (request.ipAddresses.length > 0) return "IP subjectAltNames are not allowed";
  if (request.uris.length > 0) return "URI subjectAltNames are not allowed";
  if (!isNode(request)) return "subject common name does not begin with system:node:";
  return usageProblem(usages, "client auth");
}

function kubeletServingProblem(request: RequestedCertificate, usages: readonly string[]): string | undefined {
  if (!isOfNodes(request)) return "subject organization is not system:nodes";
  if (request.dnsNames.length === 0 && request.ipAddresses.length === 0) return "DNS or IP subjectAltName is required";
  if (request.emailAddresses.length > 0) return "Email subjectAltNames are not allowed";
  if (request.uris.length > 0) return "URI subjectAltNames are not allowed";
  return usageProblem(usages, "server auth") ?? (isNode(request) ? undefined : "subject common name does not begin with system:node:");
}

function clientUsageProblem(usages: readonly string[]): string | undefined {
  const wrong = usages.find((usage) => !["digital signature", "key encipherment", "client auth"].includes(usage));
  if (wrong !== undefined) return `invalid usage for client certificate: ${wrong}`;
  return usages.includes("client auth") ? undefined : "missing required usage for client certificate: client auth";
}

const isOfNodes = ({ organizations }: RequestedCertificate): boolean => organizations.length === 1 && organizations[0] === "system:nodes";
const isNode = ({ commonName }: RequestedCertificate): boolean => commonName.startsWith("system:node:");

/** Key encipherment is for RSA keys, and may be left out. */
function usageProblem(usages: readonly string[], purpose: "client auth" | "server auth"): string | undefined {
  const rest = new Set(usages);
  const complete = rest.delete("digital signature") && rest.delete(purpose);
  rest.delete("key encipherment");
  if (complete && rest.size === 0) return undefined;
  return `usages did not match [${["digital signature", "key encipherment", purpose].sort().join(" ")}]`;
}
