import { endpoints, services } from "../../../kubernetes/known-resources.ts";
import type { Endpoints, Service } from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";

/** An endpoint of a Service's port, chosen at random (k8s.io/apiserver `proxy.ResolveEndpoint`). @throws Error in its words */
export function endpointOf(
  { mirror, random }: ApiCluster,
  namespace: string,
  name: string,
  port: number,
): { readonly address: string; readonly port: number } {
  const service = mirror.get(services, namespace, name)?.object as Service | undefined;
  if (!service) throw new Error(`service ${JSON.stringify(name)} not found`);
  const { type = "ClusterIP", ports = [] } = service.spec ?? {};
  if (type === "ExternalName") throw new Error(`unsupported service type ${JSON.stringify(type)}`);
  const servicePort = ports.find((each) => each.port === port);
  if (!servicePort) throw new Error(`no service port ${port} found for service ${JSON.stringify(name)}`);
  const found = mirror.get(endpoints, namespace, name)?.object as Endpoints | undefined;
  if (!found) throw new Error(`endpoints ${JSON.stringify(name)} not found`);
  const candidates = (found.subsets ?? []).flatMap(({ addresses = [], ports: own = [] }) =>
    own
      .filter((each) => (each.name ?? "") === (servicePort.name ?? ""))
      .flatMap((each) => addresses.map(({ ip }) => ({ address: ip, port: each.port }))),
  );
  const chosen = candidates[Math.floor(random() * candidates.length)];
  if (!chosen) throw new Error(`no endpoints available for service ${JSON.stringify(name)}`);
  return chosen;
}
