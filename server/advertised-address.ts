import { networkInterfaces } from "node:os";

/**
 * The address that the service `kubernetes` shows as its endpoint: the machine's first IPv4 address that is not loopback, as
 * kube-apiserver advertises it (an endpoint must not be loopback). Pods reach the API through their node's agent whatever it is.
 */
export function advertisedAddress(): string | undefined {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return addresses.find(({ family, internal, address }) => family === "IPv4" && !internal && !address.startsWith("169.254."))?.address;
}
