import { z } from "zod";
import { formatIpv4, parseIpv4Range } from "../../shared/kubernetes/ipv4.ts";
import { hashOf, shortHash } from "./hash.ts";
import { overlayMacOf } from "./peers.ts";
import type { RunCommand } from "./run-command.ts";

/** VXLAN (RFC 7348): outer IPv4, UDP and VXLAN headers and the inner Ethernet header. */
export const overlayHeaderBytes = 50;
/** IANA's port for VXLAN. */
const port = 4_789;
export const overlayPrefix = "crv-";

/** The device of a pool on a machine: at most 15 characters, so the name is hashed. Agents of one pool share it. */
export const overlayDeviceOf = (pool: string): string => `${overlayPrefix}${shortHash(`overlay/${pool}`)}`;

/** 24 bits; those below 4,096 are what others use by default (flannel 1, Calico 4,096). */
export const overlayIdOf = (pool: string): number => 4_097 + (hashOf(`overlay/${pool}`) % (2 ** 24 - 4_097));

export interface OverlayOptions {
  readonly pool: string;
  /** The machine's address that the other machines know. */
  readonly address: string;
  readonly podCidr: string;
  readonly mtu: number;
}

const links = z.array(
  z.object({
    address: z.string().optional(),
    mtu: z.number().optional(),
    linkinfo: z
      .object({ info_data: z.object({ id: z.number().optional(), local: z.string().optional(), port: z.number().optional() }).optional() })
      .optional(),
  }),
);

/** The node's own address on the overlay, from which the machine itself speaks to other machines' pods: the first of its range, which no pod gets. */
const addressOn = (podCidr: string): string => formatIpv4(parseIpv4Range(podCidr)?.first ?? 0);

/** Makes the device what it must be, if it is not. @throws Error when the kernel has no VXLAN */
export async function ensureOverlay({ pool, address, podCidr, mtu }: OverlayOptions, run: RunCommand): Promise<void> {
  const device = overlayDeviceOf(pool);
  const must = async (...args: string[]): Promise<void> => {
    const { exitCode, stderr } = await run("ip", args);
    if (exitCode !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr.trim()}`);
  };
  const { exitCode, stdout } = await run("ip", ["-json", "-details", "link", "show", "dev", device]);
  const found = exitCode === 0 ? links.safeParse(JSON.parse(stdout)).data?.[0] : undefined;
  const { id, local, port: foundPort } = found?.linkinfo?.info_data ?? {};
  const [mac, wantedId] = [overlayMacOf(address), overlayIdOf(pool)];
  const fits = found?.address === mac && found.mtu === mtu && id === wantedId && local === address && foundPort === port;
  if (!fits) {
    if (found !== undefined) await must("link", "delete", device);
    const vxlan = ["type", "vxlan", "id", String(wantedId), "local", address, "dstport", String(port), "nolearning"];
    await must("link", "add", device, "address", mac, "mtu", String(mtu), ...vxlan);
  }
  await must("address", "replace", `${addressOn(podCidr)}/32`, "dev", device);
  await must("link", "set", device, "up");
}

/** Takes the node's address from the device, and the device away when nobody else on the machine uses it. */
export async function removeOverlay(pool: string, podCidr: string, run: RunCommand): Promise<void> {
  const device = overlayDeviceOf(pool);
  await run("ip", ["address", "delete", `${addressOn(podCidr)}/32`, "dev", device]);
  const { exitCode, stdout } = await run("ip", ["-4", "-oneline", "address", "show", "dev", device]);
  if (exitCode === 0 && stdout.trim() === "") await run("ip", ["link", "delete", device]);
}
