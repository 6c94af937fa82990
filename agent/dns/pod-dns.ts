import type { PodDNSConfig, PodSpec } from "../../shared/kubernetes/types.ts";
import type { ResolverConfig } from "./resolv-conf.ts";

export interface PodDnsContext {
  readonly namespace: string;
  /** Where cluster DNS answers this pod. */
  readonly clusterServer: string;
  readonly clusterDomain: string;
  /** What the machine itself uses. */
  readonly host: ResolverConfig;
}

/** Limits of `pkg/apis/core/validation` that the kubelet cuts at: name servers, search paths, characters of all search paths. */
const limits = { servers: 3, searches: 32, searchCharacters: 2_048 };

/**
 * A pod's resolver configuration by its `dnsPolicy` and `dnsConfig`, as the kubelet makes it (`pkg/kubelet/network/dns/dns.go`). undefined: the
 * machine's own, unchanged. A pod in the host's network with `ClusterFirst` counts as `Default`.
 */
export function podDnsOf(
  spec: Pick<PodSpec, "dnsPolicy" | "dnsConfig" | "hostNetwork">,
  context: PodDnsContext,
): ResolverConfig | undefined {
  const policy = spec.dnsPolicy ?? "ClusterFirst";
  const usesHost = policy === "Default" || (policy === "ClusterFirst" && spec.hostNetwork === true);
  if (usesHost && spec.dnsConfig === undefined) return undefined;
  if (policy === "None") return fitted(extended({ servers: [], searches: [], options: [] }, spec.dnsConfig));
  return fitted(extended(usesHost ? context.host : clusterFirst(context), spec.dnsConfig));
}

function clusterFirst({ namespace, clusterServer, clusterDomain, host }: PodDnsContext): ResolverConfig {
  return {
    servers: [clusterServer],
    searches: unique([`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain, ...host.searches]),
    options: ["ndots:5"],
  };
}

/** What the pod asks for comes after what the policy gives; of an option given twice the pod's value counts. */
function extended(from: ResolverConfig, dnsConfig: PodDNSConfig | undefined): ResolverConfig {
  const own = (dnsConfig?.options ?? []).filter(({ name }) => name !== undefined && name !== "");
  const ownNames = new Set(own.map(({ name }) => name));
  return {
    servers: unique([...from.servers, ...(dnsConfig?.nameservers ?? [])]),
    searches: unique([...from.searches, ...(dnsConfig?.searches ?? [])]),
    options: [
      ...from.options.filter((option) => !ownNames.has(option.split(":")[0])),
      ...own.map(({ name, value }) => (value === undefined ? `${name}` : `${name}:${value}`)),
    ],
  };
}

function fitted({ servers, searches, options }: ResolverConfig): ResolverConfig {
  const kept: string[] = [];
  for (const search of searches.slice(0, limits.searches)) {
    if ([...kept, search].join(" ").length > limits.searchCharacters) break;
    kept.push(search);
  }
  return { servers: servers.slice(0, limits.servers), searches: kept, options };
}

const unique = (values: readonly string[]): string[] => [...new Set(values)];
