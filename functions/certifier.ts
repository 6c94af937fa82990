import type { AgentApiPorts } from "../shared/api/agent/agent-api-ports.ts";
import { apiServerDnsNames, apiServerIps, certifyServerKey } from "../shared/auth/certificate-authority.ts";
import { StatusError } from "../shared/kubernetes/status-error.ts";
import type { Dependencies } from "./dependencies.ts";

const days = 30;

/** Certificates under which nodes stand for the API server: the one of a function URL names another domain. */
export function certifier({ environment, installation, clock }: Dependencies): Pick<AgentApiPorts, "certify"> {
  const { clusterApiUrl: url } = environment;
  if (url === undefined) return {};
  return {
    async certify(publicKeyPem) {
      const nowMs = clock.now();
      const names = { dnsNames: apiServerDnsNames, ips: apiServerIps };
      const authority = { caKeyPem: installation.caKeyPem(), caPem: installation.caPem };
      try {
        const certificatePem = await certifyServerKey(publicKeyPem, { ...authority, ...names, notBefore: nowMs, days });
        return { url, certificatePem, expiresAtMs: nowMs + days * 86_400_000 };
      } catch (error) {
        throw new StatusError("BadRequest", `the key cannot be certified: ${error instanceof Error ? error.message : String(error)}`);
      }
    },
  };
}
